"""Shared by the penalties with an ℓ₁ part: shrinkage, and norms per member.

Source: Parikh & Boyd 2014, Proximal Algorithms, §6.5.2; Yun et al. 2021, Adaptive Proximal Gradient Methods (ProxGen).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from regcore.members import coefficient

if TYPE_CHECKING:
    from torch import Tensor

_LARGE_SLICE: Final = 16384
"""From this many weights per member it is faster, on a CPU, to handle members one by one: each fits the cache, and no
temporary tensor as large as the stack is needed, whose pages the system would clear in every step."""


def shrink_(weight: Tensor, strengths: Sequence[float], reach: Sequence[float] | Tensor) -> None:
    """Soft threshold in place: sign(w) · max(|w| − threshold, 0), with threshold = strength × reach.

    Args:
        weight: Stacked weights, (K, ...).
        strengths: λ₁ of each member, ≥ 0.
        reach: The optimizer's long-run step for a constant unit gradient: one number per member, or (K, ...).
    """
    import torch

    if isinstance(reach, torch.Tensor):
        _shrink_elementwise_(weight, reach * coefficient(strengths, reach))
        return
    thresholds = [s * r for s, r in zip(strengths, reach, strict=True)]
    threshold = coefficient(thresholds, weight)
    if isinstance(threshold, float):
        torch.ops.aten.softshrink.out(weight, threshold, out=weight)
    elif _is_large(weight):
        for member, own in zip(weight.unbind(), thresholds, strict=True):
            torch.ops.aten.softshrink.out(member, own, out=member)
    else:
        _shrink_elementwise_(weight, threshold)


def _shrink_elementwise_(weight: Tensor, threshold: Tensor) -> None:
    """The same bits as softshrink: w − t, w + t or w − w."""
    import torch

    removed = torch.maximum(weight, -threshold)
    torch.minimum(removed, threshold, out=removed)
    weight.sub_(removed)


def l1_norms(weights: Sequence[Tensor]) -> Tensor:
    """‖w‖₁ of each member over all the tensors, (K,), float64."""
    return _sum_per_member(weights, lambda weight: weight.double().abs())


def squared_norms(weights: Sequence[Tensor]) -> Tensor:
    """‖w‖² of each member over all the tensors, (K,), float64."""
    return _sum_per_member(weights, lambda weight: weight.double().square())


def _sum_per_member(weights: Sequence[Tensor], term: Callable[[Tensor], Tensor]) -> Tensor:
    """Sum of an elementwise term over all elements of each member, (K,)."""
    import torch

    sums = []
    for weight in weights:
        sums.append(torch.cat([term(part).flatten(1).sum(1) for part in in_cache(weight)]))
    return torch.stack(sums).sum(0)


def in_cache(weight: Tensor) -> Sequence[Tensor]:
    """Views of a stacked tensor along the member axis: the whole, or one for each member where that is faster."""
    import torch

    return torch.split(weight, 1) if _is_large(weight) else (weight,)


def _is_large(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight[0].numel() >= _LARGE_SLICE
