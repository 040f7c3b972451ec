"""The ways to train that a suggested sweep compares: each is a variant, tuned on its own values.

`nothing` is the reference of every verdict. `constant` is the plainest baseline: a linear model whose weights an ℓ₁
penalty holds at 0, so that it predicts the shares of the classes, or the mean, for every row. `linear` is logistic or
ridge regression: a convex problem, trained with all rows in each step until it is at its minimum.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from regcore.plan import Plan
from regcore.shapes import RowInfo

Json = dict[str, Any]

NOTHING: Final = "nothing"
LINEAR: Final = "linear"
CONSTANT: Final = "constant"
TOGETHER: Final = " + "
"""Between the names of two regularizers that act together."""

OBJECTIVE: Final = {"metric": "validation/loss", "mode": "min"}
_NO_WEIGHTS: Final = 1000.0
"""An ℓ₁ strength beyond any gradient of a mean loss over standardized features."""
_MAX_FULL_BATCH_VALUES: Final = 2 * 10**7
"""Values of the train split up to which every step of a linear model sees all rows."""
_LINEAR_BATCH: Final = 8192
_MAX_EPOCHS: Final = 300
_NUM_EVALUATIONS: Final = 20
_IMAGE_AXES: Final = 3
_SMALLEST_IMAGE: Final = 16
"""Height and width in pixels from which convolutions see more than a dense layer."""


@dataclass(frozen=True)
class Suggestion:
    """A sweep to submit.

    Attributes:
        sweep: Its body.
        reason: What it compares, and what the budget left out.
        estimate_s: About how long it takes on two cores and one slot.
    """

    sweep: Json
    reason: str
    estimate_s: float


@dataclass(frozen=True)
class Contender:
    """One regularizer, and the values of its one field to tune.

    Attributes:
        name: Of the variant; also the regularizer's kind.
        field: What is tuned.
        values: From weak to strong, about evenly spaced on the scale on which the field acts.
        of_some_rows: Whether it is for images, texts or sounds alone: others lack it without a word.
    """

    name: str
    field: str
    values: tuple[float, ...]
    of_some_rows: bool = False

    def regularizer(self) -> Json:
        """The regularizer at the middle of its values."""
        return {"kind": self.name, self.field: self.values[len(self.values) // 2]}

    def axis(self, position: int = 0) -> Json:
        """The axis of the variant whose regularizer stands at this position."""
        return {"pointer": f"/regularizers/{position}/{self.field}", "values": list(self.values)}

    def thinned(self, num_values: int) -> "Contender":
        """The same with at most this many values, the ends included."""
        last = len(self.values) - 1
        if num_values > last:
            return self
        steps = range(num_values)
        kept = [round(step * last / (num_values - 1)) for step in steps] if num_values > 1 else [last // 2]
        return replace(self, values=tuple(self.values[place] for place in kept))

    def around(self, value: float) -> "Contender":
        """The same with the value and its neighbours alone."""
        place = self.values.index(value) if value in self.values else None
        if place is None:
            return replace(self, values=(value,))
        return replace(self, values=self.values[max(0, place - 1) : place + 2])


_STRENGTHS: Final = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
REGULARIZERS: Final = {
    one.name: one
    for one in (
        Contender("l1", "strength", _STRENGTHS),
        Contender("l2", "strength", (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
        Contender("weight_decay", "strength", (0.03, 0.1, 0.3, 1.0, 3.0)),
        Contender("dropout", "p", (0.1, 0.2, 0.35, 0.5, 0.7)),
        Contender("early_stopping", "patience", (2, 4, 8)),
        # Always with shifts: whether images may be mirrored is what the validation split tells.
        Contender("crop_flip", "flip_probability", (0.0, 0.5), of_some_rows=True),
        Contender("word_dropout", "p", (0.05, 0.1, 0.2, 0.4), of_some_rows=True),
        Contender("spec_augment", "p", (0.05, 0.1, 0.2, 0.4), of_some_rows=True),
    )
}
"""The regularizers that are compared, by name; the last ones, which augment rows, where the rows are of their sort."""
RIDGE: Final = Contender("l2", "strength", (1e-4, 1e-3, 1e-2, 3e-2, 1e-1))
"""The penalty of `linear`."""


def base_of(data: Json, task: Json | None, model: Json, plan: Plan, num_steps: int) -> Json:
    """What all variants have in common: the spec of a network trained without a regularizer.

    Args:
        data: As it was sent.
        task: As it was sent, if it was.
        model: As it was sent, or the suggested one.
        plan: Of these three.
        num_steps: About how many optimizer steps a run takes, unless that is more than 300 epochs.
    """
    batch_size = batch_size_of(plan.num_rows.train)
    epochs = max(2, min(_MAX_EPOCHS, num_steps // math.ceil(plan.num_rows.train / batch_size)))
    return {
        "data": data,
        **({} if task is None else {"task": task}),
        "model": model,
        "optimizer": {"kind": "adam", "learning_rate": 0.003 if plan.num_parameters < 200_000 else 0.001},
        "training": {
            "epochs": epochs,
            "batch_size": batch_size,
            "eval_every_epochs": max(1, epochs // _NUM_EVALUATIONS),
        },
    }


def model_for(row: RowInfo, num_rows: int) -> Json:
    """A network for rows like this one, and so many of them.

    Convolutions for images that have room for them, and for sounds; hidden layers for anything else: behind the mean of
    the tokens' vectors, they are the network for text that a small budget can tune.
    """
    is_image = len(row.shape) == _IMAGE_AXES and min(row.shape[1:]) >= _SMALLEST_IMAGE
    if is_image or (row.varies and row.tokens is None):
        return {"kind": "cnn", "channels": [16, 32]}
    hidden = [64] if num_rows < 2_000 else [128] if num_rows < 20_000 else [128, 64]
    return {"kind": "mlp", "hidden": hidden}


def batch_size_of(num_train_rows: int) -> int:
    """Rows in a batch: larger for larger tables, whose epochs have steps enough."""
    wanted = 32 if num_train_rows < 2_000 else 64 if num_train_rows < 10_000 else 128
    return min(wanted if num_train_rows < 40_000 else 512, num_train_rows)


def regularized(parts: Sequence[Contender]) -> Json:
    """The variant with these regularizers, in this order."""
    return {
        "name": TOGETHER.join(part.name for part in parts),
        "patch": [{"op": "add", "path": "/regularizers/-", "value": part.regularizer()} for part in parts],
        "axes": [part.axis(position) for position, part in enumerate(parts)],
    }


def linear(plan: Plan, num_steps: int, num_values: int) -> Json:
    """The variant `linear`."""
    penalty = RIDGE.thinned(num_values)
    return {"name": LINEAR, "patch": _linear_patch(plan, num_steps, penalty.regularizer()), "axes": [penalty.axis()]}


def constant(plan: Plan, num_steps: int) -> Json:
    """The variant `constant`."""
    penalty = {"kind": "l1", "strength": _NO_WEIGHTS}
    return {"name": CONSTANT, "patch": _linear_patch(plan, min(num_steps, 300), penalty), "axes": []}


def linear_training(plan: Plan, num_steps: int) -> Json:
    """How a linear model is trained on these rows: with all of them in each step, or large batches of them."""
    rows, width = plan.num_rows.train, math.prod(plan.input_shape)
    is_full = rows * width <= _MAX_FULL_BATCH_VALUES or rows <= _LINEAR_BATCH
    epochs = num_steps if is_full else max(2, math.ceil(num_steps / math.ceil(rows / _LINEAR_BATCH)))
    return {"epochs": epochs, "batch_size": "full" if is_full else _LINEAR_BATCH, "eval_every_epochs": epochs}


def _linear_patch(plan: Plan, num_steps: int, penalty: Json) -> list[Json]:
    # The rate falls to 0, so that Adam's last steps, which do not shrink by themselves, end at the minimum.
    optimizer = {"kind": "adam", "learning_rate": 0.1, "schedule": {"kind": "cosine"}}
    return [
        {"op": "replace", "path": "/model", "value": {"kind": "linear"}},
        {"op": "replace", "path": "/optimizer", "value": optimizer},
        *(
            {"op": "replace", "path": f"/training/{field}", "value": value}
            for field, value in linear_training(plan, num_steps).items()
        ),
        {"op": "add", "path": "/regularizers/-", "value": penalty},
    ]
