"""Early stopping: the weights of the best evaluation are kept.

They are also restored if training runs to its last epoch: it always selects, even if it never stops.

Source: Prechelt 1998, Early stopping - but when?
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.metrics import METRICS, metrics_of
from regcore.regularizers.base import Effect, EpochChoice, Regularizer, Stronger
from regcore.schedule import MAX_EPOCHS

MAX_MIN_DELTA = 1e12


class EarlyStopping(Regularizer):
    """Stops when the metric has not improved for `patience` evaluations, and restores the best weights."""

    summary: ClassVar[str] = "Stops when a validation metric no longer improves, and restores the best weights."
    formula: ClassVar[str] = (
        "m = the metric where lower is better, as a loss, and −1 times it where higher is, as accuracy;  keep the "
        "first epoch with the least m;  m improves when m < reference − min_delta, and is then the next reference;  "
        "stop after `patience` evaluations in a row that do not improve"
    )
    source: ClassVar[str] = "Prechelt 1998"
    example: ClassVar[dict[str, Any]] = {"kind": "early_stopping", "patience": 1}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"metric", "patience", "min_delta"})
    stronger: ClassVar[Stronger] = {"patience": "smaller", "min_delta": "larger"}

    kind: Literal["early_stopping"] = "early_stopping"
    metric: Literal[
        "validation/loss",
        "validation/accuracy",
        "validation/balanced_accuracy",
        "validation/top5_accuracy",
        "validation/macro_f1",
        "validation/auroc",
        "validation/average_precision",
        "validation/log_loss",
        "validation/r2",
        "validation/mae",
        "validation/rmse",
    ] = "validation/loss"
    """What is watched, on the validation split."""
    patience: int = Field(default=5, ge=1, le=MAX_EPOCHS)
    """Evaluations in a row without an improvement before training stops; one without a value is not counted."""
    min_delta: float = Field(default=0.0, ge=0, le=MAX_MIN_DELTA)
    """How much better than the last improvement counts as one. For `patience` alone: the best epoch is always kept."""

    @property
    def sign(self) -> int:
        """−1 if higher is better, so that a lower sign × metric is always better."""
        return -1 if METRICS[self._name].mode == "max" else 1

    @property
    def _name(self) -> str:
        return self.metric.removeprefix("validation/")

    @property
    def watches(self) -> str:
        return self.metric

    def needs(self, *, task: str, num_validation_rows: int, num_classes: int = 0) -> str | None:
        if num_validation_rows == 0:
            return "early_stopping needs validation data; set data.validation_fraction above 0, e.g. 0.2."
        measured = metrics_of(task, num_classes)
        if self._name not in measured:
            known = ", ".join(f"validation/{name}" for name in measured)
            return f"metric must be one of {known} for {task}; received {self.metric}."
        min_rows = METRICS[self._name].min_rows
        if num_validation_rows < min_rows:
            return (
                f"{self.metric} needs at least {min_rows} validation rows to have a value; there is "
                f"{num_validation_rows}. Raise data.validation_fraction, or watch validation/loss."
            )
        return None

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        if self.patience >= run.num_evaluations - 1:
            yield Doubt(
                "/patience",
                "never_stops",
                f"patience {self.patience} cannot end a run of {run.num_evaluations} evaluation(s) before its last: "
                "early_stopping only selects the best of them.",
                "Lower patience, or evaluate more often (training.eval_every_epochs, training.epochs).",
            )
        if METRICS[self._name].is_share and self.min_delta >= 1:
            yield Doubt(
                "/min_delta",
                "never_improves",
                f"min_delta {self.min_delta:g} is more than {self._name} between 0 and 1 can improve by: training "
                f"stops after 1 + {self.patience} evaluations, whatever it learns.",
                "Lower min_delta, e.g. to 0.001.",
            )
        if run.num_validation_rows == 1:
            yield Doubt(
                "/metric",
                "one_validation_row",
                f"{self.metric} of a single validation row says next to nothing of others.",
                "Raise data.validation_fraction.",
            )

    @classmethod
    def bind(cls, members: Sequence[EarlyStopping], touched: Sequence[str]) -> Effect:
        return _EarlyStoppingEffect(members, touched)


class _EarlyStoppingEffect(Effect):
    """Remembers for each member the best value, the last improvement, and the evaluations since."""

    members: Sequence[EarlyStopping]

    def __init__(self, members: Sequence[EarlyStopping], touched: Sequence[str]) -> None:
        super().__init__(members, touched)
        self.best = [math.inf] * len(members)
        self.reference = [math.inf] * len(members)
        self.waited = [0] * len(members)
        self.stopped: set[int] = set()
        self.without_value: set[int] = set()

    def on_evaluation(self, metrics: Sequence[Mapping[str, float]]) -> EpochChoice:
        values = [member.sign * own[member.metric] for member, own in zip(self.members, metrics, strict=True)]
        without_value = {k for k, value in enumerate(values) if math.isnan(value)} - self.stopped
        newly = without_value - self.without_value
        self.without_value |= newly
        keep = frozenset(
            k for k in range(len(values)) if k not in self.stopped | without_value and self._hear(k, values[k])
        )
        return EpochChoice(keep, frozenset(self.stopped), {k: self.members[k].metric for k in newly})

    def _hear(self, k: int, value: float) -> bool:
        """Whether a member's value is its best so far; lower is better."""
        member = self.members[k]
        if value < self.reference[k] - member.min_delta:
            self.reference[k], self.waited[k] = value, 0
        else:
            self.waited[k] += 1
        if self.waited[k] >= member.patience:
            self.stopped.add(k)
        is_best = value < self.best[k]
        self.best[k] = min(value, self.best[k])
        return is_best

    def select(self, positions: Sequence[int]) -> Self:
        part = super().select(positions)
        for name in ("best", "reference", "waited"):
            setattr(part, name, [getattr(self, name)[position] for position in positions])
        for name in ("stopped", "without_value"):
            setattr(part, name, {new for new, position in enumerate(positions) if position in getattr(self, name)})
        return part

    def state(self) -> dict[str, Any]:
        lists = {"best": self.best, "reference": self.reference, "waited": self.waited}
        return lists | {"stopped": sorted(self.stopped), "without_value": sorted(self.without_value)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.reference = list(state["best"]), list(state["reference"])
        self.waited = list(state["waited"])
        self.stopped, self.without_value = set(state["stopped"]), set(state["without_value"])
