"""Elastic net: ℓ₁ and ℓ₂ together, sparse and grouped.

Source: Zou & Hastie 2005, Regularization and variable selection via the elastic net.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.members import add_scaled_
from regcore.optim.base import MAX_STRENGTH, Scheduled
from regcore.regularizers.base import Effect, Stronger, WeightRegularizer
from regcore.schedule import Moment
from regcore.shrinkage import l1_norms, shrink_, squared_norms

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

    @classmethod
    def bind(cls, members: Sequence[ElasticNet], touched: Sequence[str]) -> Effect:
        return _ElasticNetEffect(members, touched)


class _ElasticNetEffect(Effect):
    members: Sequence[ElasticNet]

    def take(self, members: Sequence[ElasticNet]) -> None:
        super().take(members)
        schedules = [member.schedule for member in members]
        self._l1 = Scheduled([m.l1 for m in members], schedules)
        self._l2 = Scheduled([m.l2 for m in members], schedules)

    def penalty(self, weights: Mapping[str, Tensor], moment: Moment) -> Tensor:
        absolute = l1_norms([weights[name] for name in self.touched])
        squared = squared_norms([weights[name] for name in self.touched])
        l1, l2 = self._l1.at(moment), self._l2.at(moment)
        return absolute * absolute.new_tensor(l1) + squared * squared.new_tensor(l2) / 2

    def on_gradients(self, weights: Mapping[str, Tensor], gradients: dict[str, Tensor], moment: Moment) -> None:
        for name in self.touched:
            add_scaled_(gradients[name], weights[name], self._l2.at(moment))

    def after_step(self, weights: Mapping[str, Tensor], update: Update, moment: Moment) -> None:
        for name in self.touched:
            shrink_(weights[name], self._l1.at(moment), update.reach(name, moment))
