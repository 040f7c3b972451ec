"""Early stopping: the weights of the best evaluation are kept.

They are also restored if training runs to its last epoch: it always selects, even if it never stops.

Source: Prechelt 1998, Early stopping - but when?
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.metrics import Metric
from regcore.regularizers.base import Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, EpochChoice, Setting
from regcore.schedule import MAX_EPOCHS
from regcore.tasks import known_metrics

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.trees import Tree

    ValidationMetric = str  # the metrics of all tasks, which `regcore.spec.kinds` knows

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
    only_once: ClassVar[bool] = True
    stronger: ClassVar[Stronger] = {"patience": "smaller", "min_delta": "larger"}

    kind: Literal["early_stopping"] = "early_stopping"
    metric: ValidationMetric = "validation/loss"
    """What is watched, on the validation split."""
    patience: int = Field(default=5, ge=1, le=MAX_EPOCHS)
    """Evaluations in a row without an improvement before training stops; one without a value is not counted."""
    min_delta: float = Field(default=0.0, ge=0, le=MAX_MIN_DELTA)
    """How much better than the last improvement counts as one. For `patience` alone: the best epoch is always kept."""

    @property
    def sign(self) -> int:
        """−1 if higher is better, so that a lower sign × metric is always better."""
        return -1 if self._watched.mode == "max" else 1

    @property
    def _watched(self) -> Metric:
        return known_metrics()[self._name]

    @property
    def _name(self) -> str:
        return self.metric.removeprefix("validation/")

    @property
    def watches(self) -> str:
        return self.metric

    def needs(self, job: Surroundings) -> str | None:
        if job.num_validation_rows == 0:
            return "early_stopping needs validation data; set data.validation_fraction above 0, e.g. 0.2."
        measured = job.task.metrics_with(job.num_classes)
        if self._name not in measured:
            known = ", ".join(f"validation/{name}" for name in measured)
            return f"metric must be one of {known} for {job.task.kind}; received {self.metric}."
        min_rows = self._watched.min_rows
        if job.num_validation_rows < min_rows:
            return (
                f"{self.metric} needs at least {min_rows} validation rows to have a value; there is "
                f"{job.num_validation_rows}. Raise data.validation_fraction, or watch validation/loss."
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
        if self._watched.is_share and self.min_delta >= 1:
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
    def bind(cls, members: Sequence[EarlyStopping], setting: Setting) -> Effect:
        return _EarlyStoppingEffect(members, setting)


class _EarlyStoppingEffect(Effect):
    """Remembers for each member the best value, the last improvement, and the evaluations since."""

    members: Sequence[EarlyStopping]

    def start(self, tensors: Mapping[str, Tensor]) -> Tree:
        import torch

        num_members = len(self.members)
        return {
            "best": torch.full((num_members,), math.inf, dtype=torch.float64),
            "reference": torch.full((num_members,), math.inf, dtype=torch.float64),
            "waited": torch.zeros(num_members, dtype=torch.int64),
            "stopped": torch.zeros(num_members, dtype=torch.bool),
            "without_value": torch.zeros(num_members, dtype=torch.bool),
        }

    def on_evaluation(self, metrics: Sequence[Mapping[str, float]]) -> EpochChoice:
        keep: set[int] = set()
        undefined: dict[int, str] = {}
        state: dict[str, Any] = dict(self.state)
        for k, (member, own) in enumerate(zip(self.members, metrics, strict=True)):
            if state["stopped"][k]:
                continue
            value = member.sign * own[member.metric]
            if not math.isnan(value):
                keep |= {k} if self._hear(k, value) else set()
            elif not state["without_value"][k]:
                state["without_value"][k] = True
                undefined[k] = member.metric
        stopped = state["stopped"].nonzero().flatten().tolist()
        return EpochChoice(frozenset(keep), frozenset(stopped), undefined)

    def _hear(self, k: int, value: float) -> bool:
        """Whether a member's value is its best so far; lower is better."""
        member, state = self.members[k], dict[str, Any](self.state)
        if value < float(state["reference"][k]) - member.min_delta:
            state["reference"][k], state["waited"][k] = value, 0
        else:
            state["waited"][k] += 1
        if state["waited"][k] >= member.patience:
            state["stopped"][k] = True
        is_best = value < float(state["best"][k])
        state["best"][k] = min(value, float(state["best"][k]))
        return is_best
