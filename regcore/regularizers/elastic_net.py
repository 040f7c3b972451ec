"""Elastic net: ℓ₁ and ℓ₂ together, sparse and grouped.

Source: Zou & Hastie 2005, Regularization and variable selection via the elastic net.
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
from regcore.shrinkage import l1_norms, squared_norms

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim import Update


class ElasticNet(WeightRegularizer):
    """λ₁‖w‖₁ + (λ₂/2)‖w‖²."""

    summary: ClassVar[str] = "Adds an ℓ₁ and an ℓ₂ penalty: exact zeros, and correlated weights kept together."
    formula: ClassVar[str] = "λ₁‖w‖₁ + (λ₂/2)‖w‖²; scikit-learn's α and r: λ₁ = αr, λ₂ = α(1−r)"
    source: ClassVar[str] = "Zou & Hastie 2005"
    example: ClassVar[dict[str, Any]] = {"kind": "elastic_net", "l1": 1e-3, "l2": 1e-2}
    adds_to_objective: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"l1", "l2", "schedule"})
    scheduled: ClassVar[tuple[str, ...]] = ("l1", "l2")
    decays: ClassVar[tuple[str, ...]] = ("l2",)
    decays_by_gradient: ClassVar[bool] = True
    thresholds: ClassVar[tuple[str, ...]] = ("l1",)
    stronger: ClassVar[Stronger] = {"l1": "larger", "l2": "larger"}

    kind: Literal["elastic_net"] = "elastic_net"
    l1: float = Field(ge=0, le=MAX_STRENGTH)
    """λ₁, by the proximal operator."""
    l2: float = Field(ge=0, le=MAX_STRENGTH)
    """λ₂, by the gradient."""

    @property
    def strengths(self) -> PenaltyStrengths | None:
        return PenaltyStrengths(self.l1, self.l2) if self.schedule.is_constant else None

    @classmethod
    def bind(cls, members: Sequence[ElasticNet], setting: Setting) -> Effect:
        return _ElasticNetEffect(members, setting)


class _ElasticNetEffect(Effect):
    members: Sequence[ElasticNet]

    def setup(self) -> None:
        schedules = [member.schedule for member in self.members]
        self._l1 = Scheduled([m.l1 for m in self.members], schedules)
        self._l2 = Scheduled([m.l2 for m in self.members], schedules)

    def penalty(self, tensors: Mapping[str, Tensor], at: At) -> Tensor:
        absolute = l1_norms([tensors[name] for name in self.touched])
        squared = squared_norms([tensors[name] for name in self.touched])
        l1, l2 = self._l1.at(at), self._l2.at(at)
        return absolute * absolute.new_tensor(l1) + squared * squared.new_tensor(l2) / 2

    @property
    def is_settled(self) -> bool:
        return all(member.schedule.is_constant for member in self.members)

    def elementwise(self, update: Update, at: At) -> Mapping[str, Elementwise]:
        return self.on_touched(Elementwise(pull=self._l2.at(at), shrink=self._l1.at(at)))
