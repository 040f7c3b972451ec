"""ℓ₂ penalty: small weights, with its gradient in the objective.

Under an adaptive optimizer the gradient is rescaled per weight, so it is not the same as decay: see `weight_decay`.

Source: Krogh & Hertz 1992, A simple weight decay can improve generalization.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.at import At
from regcore.optim.base import MAX_STRENGTH, Scheduled
from regcore.optim.elementwise import Elementwise
from regcore.regularizers.base import PenaltyStrengths, Stronger, WeightRegularizer
from regcore.regularizers.effect import Effect, Setting
from regcore.shrinkage import squared_norms

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim import Update


class L2(WeightRegularizer):
    """(λ/2)‖w‖²."""

    summary: ClassVar[str] = "Adds half λ times the sum of squared weights to the objective."
    formula: ClassVar[str] = "(λ/2)‖w‖²; λ is torch.optim.SGD's weight_decay, and twice the c of Keras's L2(c)"
    source: ClassVar[str] = "Krogh & Hertz 1992"
    example: ClassVar[dict[str, Any]] = {"kind": "l2", "strength": 1e-2}
    adds_to_objective: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"strength", "schedule"})
    scheduled: ClassVar[tuple[str, ...]] = ("strength",)
    decays: ClassVar[tuple[str, ...]] = ("strength",)
    decays_by_gradient: ClassVar[bool] = True
    stronger: ClassVar[Stronger] = {"strength": "larger"}

    kind: Literal["l2"] = "l2"
    strength: float = Field(ge=0, le=MAX_STRENGTH)
    """λ₂."""

    @property
    def strengths(self) -> PenaltyStrengths | None:
        return PenaltyStrengths(l2=self.strength) if self.schedule.is_constant else None

    @classmethod
    def bind(cls, members: Sequence[L2], setting: Setting) -> Effect:
        return _L2Effect(members, setting)


class _L2Effect(Effect):
    members: Sequence[L2]

    def setup(self) -> None:
        self._strengths = Scheduled([m.strength for m in self.members], [m.schedule for m in self.members])

    def penalty(self, tensors: Mapping[str, Tensor], at: At) -> Tensor:
        norms = squared_norms([tensors[name] for name in self.touched])
        return norms * norms.new_tensor(self._strengths.at(at)) / 2

    @property
    def is_settled(self) -> bool:
        return all(member.schedule.is_constant for member in self.members)

    def elementwise(self, update: Update, at: At) -> Mapping[str, Elementwise]:
        return self.on_touched(Elementwise(pull=self._strengths.at(at)))
