"""Early stopping: the weights of the best evaluation are the ones that are kept.

They are restored also when training runs to its last epoch: stopping is the optional half, selection is not.

Source: Prechelt 1998, Early stopping - but when?
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from regcore.regularizers.base import Effect, Regularizer, Stronger, Verdict

HIGHER_IS_BETTER = ("accuracy", "r2")


class EarlyStopping(Regularizer):
    """Stops when the metric has not improved for `patience` evaluations, and restores the best weights."""

    summary: ClassVar[str] = "Stops when a validation metric no longer improves, and restores the best weights."
    formula: ClassVar[str] = "stop when metric > best − min_delta for `patience` evaluations in a row"
    source: ClassVar[str] = "Prechelt 1998"
    example: ClassVar[dict[str, Any]] = {"kind": "early_stopping", "patience": 3}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"metric", "patience", "min_delta"})
    stronger: ClassVar[Stronger] = {"patience": "smaller", "min_delta": "larger"}

    kind: Literal["early_stopping"] = "early_stopping"
    metric: Literal["validation/loss", "validation/accuracy", "validation/r2", "validation/mae"] = "validation/loss"
    """What is watched, on the validation split."""
    patience: int = Field(default=5, ge=1)
    """Evaluations without an improvement before training stops."""
    min_delta: float = Field(default=0.0, ge=0)
    """How much counts as an improvement."""

    @property
    def sign(self) -> int:
        """−1 where higher is better, so that sign × metric is always to be lowered."""
        return -1 if self.metric.endswith(HIGHER_IS_BETTER) else 1

    def needs(self, *, task: str, num_validation_rows: int) -> str | None:
        if num_validation_rows == 0:
            return "early_stopping needs validation data; set data.validation_fraction above 0, e.g. 0.2."
        measured = {"classification": ("loss", "accuracy"), "regression": ("loss", "r2", "mae")}[task]
        if self.metric.removeprefix("validation/") not in measured:
            known = ", ".join(f"validation/{name}" for name in measured)
            return f"metric must be one of {known} for {task}; received {self.metric}."
        return None

    @classmethod
    def bind(cls, members: Sequence[EarlyStopping], touched: Sequence[str]) -> Effect:
        return _EarlyStoppingEffect(members, touched)


class _EarlyStoppingEffect(Effect):
    members: Sequence[EarlyStopping]

    def __init__(self, members: Sequence[EarlyStopping], touched: Sequence[str]) -> None:
        super().__init__(members, touched)
        self.best = [math.inf] * len(members)
        self.waited = [0] * len(members)
        self.stopped: set[int] = set()

    def on_evaluation(self, metrics: Sequence[Mapping[str, float] | None]) -> Verdict:
        improved = set()
        for k, (member, values) in enumerate(zip(self.members, metrics, strict=True)):
            if values is None or k in self.stopped:
                continue
            value = member.sign * values[member.metric]
            if value < self.best[k] - member.min_delta:
                self.best[k], self.waited[k] = value, 0
                improved.add(k)
            else:
                self.waited[k] += 1
            if self.waited[k] >= member.patience:
                self.stopped.add(k)
        return Verdict(keep=frozenset(improved), stop=frozenset(self.stopped))

    def select(self, positions: Sequence[int]) -> Self:
        part = super().select(positions)
        part.best = [self.best[position] for position in positions]
        part.waited = [self.waited[position] for position in positions]
        part.stopped = {new for new, position in enumerate(positions) if position in self.stopped}
        return part

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited, "stopped": sorted(self.stopped)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.best, self.waited, self.stopped = list(state["best"]), list(state["waited"]), set(state["stopped"])
