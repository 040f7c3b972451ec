"""ℓ₁ penalty: sparse weights.

The proximal method solves for exact zeros; the subgradient method, which many loops use by adding `abs().sum()` to the
loss, hovers around zero and never reaches it.

Source: Tibshirani 1996, Regression shrinkage and selection via the lasso; Parikh & Boyd 2014, Proximal Algorithms.
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
from regcore.shrinkage import l1_norms

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.optim import Update


class L1(WeightRegularizer):
    """λ‖w‖₁."""

    summary: ClassVar[str] = "Adds λ times the sum of absolute weights to the objective; exact zeros where `proximal`."
    formula: ClassVar[str] = "λ‖w‖₁"
    source: ClassVar[str] = "Tibshirani 1996; Parikh & Boyd 2014, §6.5.2; under Adam: ProxGen (Yun et al. 2021)"
    example: ClassVar[dict[str, Any]] = {"kind": "l1", "strength": 1e-3}
    adds_to_objective: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"strength", "method", "schedule"})
    scheduled: ClassVar[tuple[str, ...]] = ("strength",)
    thresholds: ClassVar[tuple[str, ...]] = ("strength",)
    stronger: ClassVar[Stronger] = {"strength": "larger"}

    kind: Literal["l1"] = "l1"
    strength: float = Field(ge=0, le=MAX_STRENGTH)
    """λ₁."""
    method: Literal["proximal", "subgradient"] = "proximal"
    """`proximal`: soft threshold after each step, exact zeros. `subgradient`: λ·sign(w) added to the gradient."""

    @property
    def thresholds_by_gradient(self) -> bool:
        return self.method == "subgradient"

    @property
    def strengths(self) -> PenaltyStrengths | None:
        return PenaltyStrengths(l1=self.strength) if self.schedule.is_constant else None

    @classmethod
    def bind(cls, members: Sequence[L1], setting: Setting) -> Effect:
        return _L1Effect(members, setting)


class _L1Effect(Effect):
    members: Sequence[L1]

    def setup(self) -> None:
        schedules = [member.schedule for member in self.members]
        self._strengths = Scheduled([m.strength for m in self.members], schedules)
        self._proximal = Scheduled([m.strength * (m.method == "proximal") for m in self.members], schedules)
        self._subgradient = Scheduled([m.strength * (m.method == "subgradient") for m in self.members], schedules)

    def penalty(self, tensors: Mapping[str, Tensor], at: At) -> Tensor:
        norms = l1_norms([tensors[name] for name in self.touched])
        return norms * norms.new_tensor(self._strengths.at(at))

    @property
    def is_settled(self) -> bool:
        return all(member.schedule.is_constant for member in self.members)

    def elementwise(self, update: Update, at: At) -> Mapping[str, Elementwise]:
        push, shrink = self._subgradient.at(at), self._proximal.at(at)
        return self.on_touched(Elementwise(push=push if any(push) else None, shrink=shrink if any(shrink) else None))
