"""Shared by the penalties with an ℓ₁ part: shrinkage, and norms per member.

Source: Parikh & Boyd 2014, Proximal Algorithms, §6.5.2; Yun et al. 2021, Adaptive Proximal Gradient Methods (ProxGen).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from regcore.members import coefficient

if TYPE_CHECKING:
    from torch import Tensor


def shrink_(weight: Tensor, strengths: Sequence[float], reach: list[float] | Tensor) -> None:
    """Soft threshold in place: sign(w) · max(|w| − threshold, 0), with threshold = strength × reach.

    Args:
        weight: Stacked weights, (K, ...).
        strengths: λ₁ of each member, ≥ 0.
        reach: The optimizer's long-run step for a constant unit gradient: one number per member, or (K, ...).
    """
    if isinstance(reach, list):
        threshold = coefficient([s * r for s, r in zip(strengths, reach, strict=True)], weight)
    else:
        threshold = reach * coefficient(strengths, reach)
    if isinstance(threshold, float):
        weight.copy_(weight - weight.clamp(-threshold, threshold))
    else:
        weight.copy_(weight - weight.maximum(-threshold).minimum(threshold))


def l1_norms(weight: Tensor) -> Tensor:
    """‖w‖₁ of each member, (K,), float64."""
    return weight.flatten(1).double().abs().sum(1)


def squared_norms(weight: Tensor) -> Tensor:
    """‖w‖² of each member, (K,), float64."""
    return weight.flatten(1).double().square().sum(1)
