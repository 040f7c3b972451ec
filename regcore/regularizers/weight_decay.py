"""Decoupled weight decay: shrink weights beside the gradient step, at the same rate under every optimizer.

Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.members import coefficient
from regcore.optim.base import MAX_STRENGTH, Scheduled
from regcore.regularizers.base import Effect, Stronger, WeightRegularizer
from regcore.schedule import Moment

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim import Update


class WeightDecay(WeightRegularizer):
    """w ← (1 − ηλ)w before each step."""

    summary: ClassVar[str] = "Multiplies weights by 1 − ηλ before each step, apart from the objective's gradient."
    formula: ClassVar[str] = "w ← (1 − ηλ)w"
    source: ClassVar[str] = "Loshchilov & Hutter 2019"
    example: ClassVar[dict[str, Any]] = {"kind": "weight_decay", "strength": 1e-2}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"strength", "schedule"})
    scheduled: ClassVar[tuple[str, ...]] = ("strength",)
    decays: ClassVar[tuple[str, ...]] = ("strength",)
    stronger: ClassVar[Stronger] = {"strength": "larger"}

    kind: Literal["weight_decay"] = "weight_decay"
    strength: float = Field(ge=0, le=MAX_STRENGTH)
    """λ."""

    @classmethod
    def bind(cls, members: Sequence[WeightDecay], touched: Sequence[str]) -> Effect:
        return _WeightDecayEffect(members, touched)


class _WeightDecayEffect(Effect):
    members: Sequence[WeightDecay]

    def take(self, members: Sequence[WeightDecay]) -> None:
        super().take(members)
        self._strengths = Scheduled([m.strength for m in members], [m.schedule for m in members])

    def before_step(self, weights: Mapping[str, Tensor], update: Update, moment: Moment) -> None:
        rates, strengths = update.rates(moment), self._strengths.at(moment)
        keep = [1 - rate * strength for rate, strength in zip(rates, strengths, strict=True)]
        for name in self.touched:
            weights[name].mul_(coefficient(keep, weights[name]))
