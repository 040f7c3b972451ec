"""Sharpness-aware minimisation: descend along the gradient at the worst place nearby.

Each step takes two backward passes over the same rows with the same masks: one where the weights are, whose losses and
buffers count, and one uphill from there, whose gradient counts. Closed-form penalties (ℓ₁, ℓ₂, decay) are no part of
what it climbs.

Source: Foret et al. 2021, Sharpness-aware minimization for efficiently improving generalization.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.members import norms_over, per_member
from regcore.regularizers.base import Regularizer, Stronger
from regcore.regularizers.effect import Effect, Setting
from regcore.shapes import TensorInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.at import At
    from regcore.passes import Slope
    from regcore.regularizers.effect import Slopes

MAX_RHO: Final = 1e6
_LARGE_RHO: Final = 10
"""Twenty times the largest of the paper, and as far as all weights of a small network are from zero."""


class Sam(Regularizer):
    """Prefers weights around which the loss is low as well."""

    summary: ClassVar[str] = "Steps along the gradient at the nearby weights where the loss is largest: flat minima."
    formula: ClassVar[str] = "w ← w − η∇L(w + ρ∇L(w)/‖∇L(w)‖),  the norm over all learned tensors"
    source: ClassVar[str] = "Foret et al. 2021"
    example: ClassVar[dict[str, Any]] = {"kind": "sam", "rho": 0.05}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"rho"})
    only_once: ClassVar[bool] = True
    stronger: ClassVar[Stronger] = {"rho": "larger"}

    kind: Literal["sam"] = "sam"
    rho: float = Field(default=0.05, ge=0, le=MAX_RHO)
    """ρ: how far uphill, as a distance between all weights."""

    def num_extra(self, tensors: Sequence[TensorInfo]) -> int:
        """The weights uphill, and the gradient there."""
        return 2 * sum(tensor.num_elements for tensor in tensors if tensor.is_learned)

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        if self.rho > _LARGE_RHO:
            yield Doubt(
                "/rho",
                "climbs_too_far",
                f"a gradient at a distance of {self.rho:g} says little of the place where the weights are: the "
                "paper's distances are at most 0.5.",
                "Take one from 0.01 to 0.5.",
            )
        if run.grad_accumulation > 1:
            yield Doubt(
                "",
                "sam_with_accumulation",
                f"it climbs along the mean gradient of all {run.grad_accumulation} batches of a step: the more rows "
                "that averages, the less it helps (m-sharpness, Foret et al. 2021, §4.1).",
                "Set training.grad_accumulation to 1.",
                ({"op": "replace", "path": "/training/grad_accumulation", "value": 1},),
            )

    @classmethod
    def bind(cls, members: Sequence[Sam], setting: Setting) -> Effect:
        return _SamEffect(members, setting)


class _SamEffect(Effect):
    members: Sequence[Sam]
    ranks: ClassVar[Mapping[str, int]] = {"gradients": 10}

    def gradients(self, slope: Slopes, weights: Mapping[str, Tensor], at: At) -> Slope:
        import torch

        here = slope(weights, at)
        with torch.no_grad():
            norms = norms_over(here.gradients.values())
            # At a stationary point there is no way up.
            factors = torch.where(norms > 0, norms.new_tensor(self.each("rho")) / norms, 0.0)
            uphill = {
                name: torch.addcmul(weight, here.gradients[name], per_member(factors, weight))
                for name, weight in weights.items()
            }
        return replace(here, gradients=slope(uphill, at).gradients)
