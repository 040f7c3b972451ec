"""Decoupled weight decay: shrink weights beside the gradient step, at the same rate under every optimizer.

Source: Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.optim.base import MAX_STRENGTH, Scheduled
from regcore.optim.elementwise import Elementwise
from regcore.regularizers.base import Stronger, WeightRegularizer
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
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
    def bind(cls, members: Sequence[WeightDecay], setting: Setting) -> Effect:
        return _WeightDecayEffect(members, setting)


class _WeightDecayEffect(Effect):
    members: Sequence[WeightDecay]

    def setup(self) -> None:
        self._strengths = Scheduled([m.strength for m in self.members], [m.schedule for m in self.members])

    def elementwise(self, update: Update, at: At) -> Mapping[str, Elementwise]:
        rates, strengths = update.rates(at), self._strengths.at(at)
        keep = tuple(1 - rate * strength for rate, strength in zip(rates, strengths, strict=True))
        return self.on_touched(Elementwise(keep=keep))
