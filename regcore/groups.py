"""Groups of weights in one tensor: what a unit sees, or what sees an input; and how they shrink as wholes.

Source: Yuan & Lin 2006, Model selection and estimation in regression with grouped variables; Parikh & Boyd 2014,
Proximal Algorithms, §6.5.4; in an adaptive optimizer's metric Yun et al. 2021, Adaptive Proximal Gradient Methods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from regcore.members import coefficient
from regcore.shapes import TensorInfo
from regcore.shrinkage import in_cache

if TYPE_CHECKING:
    from torch import Tensor

_MAX_NEWTON_STEPS: Final = 8
"""Of 3,000 groups whose weights' reaches lie up to a millionfold apart none needs more than six for all its digits."""


def axes_of(info: TensorInfo) -> str:
    """A letter for each axis; where its layer names none, as torch has them: units, inputs, the kernel."""
    return info.axes or ("oi" + "k" * len(info.shape))[: len(info.shape)]


def axes_within(info: TensorInfo, along: str) -> list[int]:
    """The axes inside a group, of a stacked tensor (K, ...), where there is one group for each place along one axis.

    Args:
        info: The tensor.
        along: The axis's letter: `o` for a group for each unit, `i` for each input.
    """
    return [place + 1 for place, axis in enumerate(axes_of(info)) if axis != along]


def group_norms(weight: Tensor, within: Sequence[int]) -> Tensor:
    """‖w_g‖ of each group, in the tensor's dtype, with axes of length 1 for those inside a group."""
    import torch

    return torch.linalg.vector_norm(weight, dim=list(within), keepdim=True) if within else weight.abs()


def sums_of_group_norms(weights: Sequence[Tensor], within: Sequence[Sequence[int]]) -> Tensor:
    """Σ √d ‖w_g‖ of each member over the groups of all the tensors, d the weights in a group; (K,), float64."""
    import torch

    sums = []
    for weight, axes in zip(weights, within, strict=True):
        parts = [group_norms(part.double(), axes).flatten(1).sum(1) for part in in_cache(weight)]
        sums.append(torch.cat(parts) * math.sqrt(group_size(weight, axes)))
    return torch.stack(sums).sum(0)


def group_size(weight: Tensor, within: Sequence[int]) -> int:
    """How many weights a group has."""
    return math.prod(weight.shape[axis] for axis in within)


def shrink_groups_(
    weight: Tensor, strengths: Sequence[float], reach: Sequence[float] | Tensor, within: Sequence[int]
) -> None:
    """The proximal operator of strength · Σ √d ‖w_g‖, in place.

    With one reach for all weights of a member, w_g ← w_g · max(0, 1 − t/‖w_g‖) with t = strength · √d · reach.

    Args:
        weight: Stacked weights, (K, ...).
        strengths: λ of each member, ≥ 0.
        reach: The optimizer's long-run step for a constant unit gradient: one number per member, or (K, ...).
        within: The axes inside a group.
    """
    import torch

    root = math.sqrt(group_size(weight, within))
    if isinstance(reach, torch.Tensor):
        thresholds = _column([strength * root for strength in strengths], weight)
        for own, each, steps in zip(in_cache(weight), _parts(thresholds, weight), in_cache(reach), strict=True):
            _shrink_in_metric_(own, each, steps, within)
        return
    threshold = coefficient([s * root * r for s, r in zip(strengths, reach, strict=True)], weight)
    # A group of zeros stays; its norm must only not divide by zero.
    norms = group_norms(weight, within).clamp_(min=torch.finfo(weight.dtype).tiny)
    weight.mul_((1 - threshold / norms).relu_())


def project_groups_(weight: Tensor, limits: Sequence[float], within: Sequence[int]) -> None:
    """Scale each group whose norm is above its member's limit to that norm, in place; the others keep their bits.

    Args:
        weight: Stacked weights, (K, ...).
        limits: Of each member, > 0.
        within: The axes inside a group.
    """
    import torch

    # A little below, so that rounding leaves no group outside, and a second projection changes nothing.
    inside = 1 - 4 * torch.finfo(weight.dtype).eps
    target = coefficient([limit * inside for limit in limits], weight)
    norms = group_norms(weight, within)
    weight.mul_(target / torch.where(norms > coefficient(limits, weight), norms, target))


def _shrink_in_metric_(weight: Tensor, threshold: Tensor, reach: Tensor, within: Sequence[int]) -> None:
    """The same where weights of a group differ in their reach r, as under Adam: argmin Σ (u − w)²/(2r) + t‖u‖.

    u is 0 if ‖w/r‖ ≤ t; else u = w·n/(n + t·r), where n = ‖u‖ solves ‖w/(n + t·r)‖ = 1. The inverse of that norm is
    concave in n, and linear where all r are equal: Newton's steps are few, and all but the first stay below n. A group
    whose n is found keeps it, so that no group depends on how many steps another one needs.
    """
    import torch

    tiny, tolerance = torch.finfo(weight.dtype).tiny, torch.finfo(weight.dtype).eps ** 0.5
    pull, norms = reach * threshold, group_norms(weight, within)
    is_alive = is_open = group_norms(weight / reach.clamp(min=tiny), within) > threshold
    for _ in range(_MAX_NEWTON_STEPS):
        inverse = (pull + norms).reciprocal_()
        shares = weight * inverse
        total = group_norms(shares, within)
        slope = group_norms(shares.mul_(inverse.sqrt_()), within).square_()
        found = (norms + total.square() * (total - 1) / slope).clamp_(min=0)
        norms = torch.where(is_open, found, norms)
        is_open = is_open & ((total - 1).abs() > tolerance)
        if not is_open.any():
            break
    norms = norms * is_alive
    weight.mul_(norms / (pull + norms).clamp_(min=tiny))  # exactly 1 where nothing pulls


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    """A number for each member, (K, 1, ...), to combine with the tensor."""
    return like.new_tensor(values).view(-1, *[1] * (like.dim() - 1))


def _parts(column: Tensor, weight: Tensor) -> Sequence[Tensor]:
    """The column's parts for those of `in_cache(weight)`."""
    import torch

    return torch.split(column, 1) if len(in_cache(weight)) == len(column) else (column,)
