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
    import torch

    if isinstance(reach, list):
        threshold = coefficient([s * r for s, r in zip(strengths, reach, strict=True)], weight)
    else:
        threshold = reach * coefficient(strengths, reach)
    if isinstance(threshold, float):
        torch.ops.aten.softshrink.out(weight, threshold, out=weight)
    else:
        weight.copy_(weight - weight.maximum(-threshold).minimum(threshold))


def l1_norms(weights: Sequence[Tensor]) -> Tensor:
    """‖w‖₁ of each member over all the tensors, (K,), float64."""
    return sum_per_member([weight.double().abs() for weight in weights])


def squared_norms(weights: Sequence[Tensor]) -> Tensor:
    """‖w‖² of each member over all the tensors, (K,), float64."""
    return sum_per_member([weight.double().square() for weight in weights])


def sum_per_member(terms: Sequence[Tensor]) -> Tensor:
    """Sum of all elements of each member, (K,)."""
    import torch

    return torch.stack([term.flatten(1).sum(1) for term in terms]).sum(0)
