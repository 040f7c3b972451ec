"""Clipping of the gradient's norm: one bad batch does not throw the weights far.

Source: Pascanu et al. 2013, On the difficulty of training recurrent neural networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.members import norms_over, per_member
from regcore.regularizers.base import Regularizer, Stronger
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.at import At
    from regcore.passes import Slope
    from regcore.regularizers.effect import Slopes

MAX_NORM: Final = 1e12
_SMALL: Final = 1e-6
"""Added to the norm, as `torch.nn.utils.clip_grad_norm_` does."""


class GradClip(Regularizer):
    """Scales a gradient that is too long."""

    summary: ClassVar[str] = "Scales the gradient of the loss down to a norm of at most `max_norm`, over all tensors."
    formula: ClassVar[str] = "g ← g · min(1, max_norm / (‖g‖ + 10⁻⁶))"
    source: ClassVar[str] = "Pascanu et al. 2013; torch.nn.utils.clip_grad_norm_"
    example: ClassVar[dict[str, Any]] = {"kind": "grad_clip", "max_norm": 1.0}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"max_norm"})
    only_once: ClassVar[bool] = True
    stronger: ClassVar[Stronger] = {"max_norm": "smaller"}

    kind: Literal["grad_clip"] = "grad_clip"
    max_norm: float = Field(default=1.0, gt=0, le=MAX_NORM)
    """The largest norm, of all learned tensors together, each member's own. Closed-form penalties are added after."""

    @classmethod
    def bind(cls, members: Sequence[GradClip], setting: Setting) -> Effect:
        return _GradClipEffect(members, setting)


class _GradClipEffect(Effect):
    members: Sequence[GradClip]
    ranks: ClassVar[Mapping[str, int]] = {"gradients": 20}

    def gradients(self, slope: Slopes, weights: Mapping[str, Tensor], at: At) -> Slope:
        found = slope(weights, at)
        norms = norms_over(found.gradients.values())
        factors = (norms.new_tensor(self.each("max_norm")) / (norms + _SMALL)).clamp(max=1)
        # Most steps of most runs have nothing to clip; asking a GPU would make it wait.
        if factors.device.type != "cpu" or bool((factors != 1).any()):
            for gradient in found.gradients.values():
                gradient.mul_(per_member(factors, gradient))
        return found
