"""Arithmetic on stacks: tensors whose leading axis is the member axis K, each member with its own coefficient.

Coefficients are Python floats, so they are combined in double precision and rounded once, when they meet a tensor. A
run of one member uses the scalar overloads, which round exactly as `torch.optim` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def coefficient(values: Sequence[float], like: Tensor) -> float | Tensor:
    """One number for a single member or equal values, else a tensor (K, 1, ...) that broadcasts over `like`.

    The tensor is cached, because the next step mostly needs the same one: do not change it.
    """
    values = tuple(values)
    if values.count(values[0]) == len(values):
        return values[0]
    return _column(values, like.dtype, like.device, like.dim())


@lru_cache(maxsize=64)
def _column(values: tuple[float, ...], dtype: torch.dtype, device: torch.device, num_axes: int) -> Tensor:
    import torch

    column = torch.tensor(values, dtype=torch.float64).to(device=device, dtype=dtype)
    return column.view(-1, *[1] * (num_axes - 1))


def add_scaled_(target: Tensor, other: Tensor, values: Sequence[float]) -> None:
    """target += value · other for each member, in place."""
    scale = coefficient(values, target)
    if isinstance(scale, float):
        target.add_(other, alpha=scale)
    else:
        target.addcmul_(other, scale)


def add_scaled_product_(target: Tensor, a: Tensor, b: Tensor, values: Sequence[float]) -> None:
    """target += value · a · b for each member, in place."""
    scale = coefficient(values, target)
    if isinstance(scale, float):
        target.addcmul_(a, b, value=scale)
    else:
        target.addcmul_(a * scale, b)


def add_scaled_quotient_(target: Tensor, a: Tensor, b: Tensor, values: Sequence[float]) -> None:
    """target += value · a / b for each member, in place."""
    scale = coefficient(values, target)
    if isinstance(scale, float):
        target.addcdiv_(a, b, value=scale)
    else:
        target.addcdiv_(a * scale, b)


def quotient_parts(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """(a, b), so that a/x·b is rounded as `coefficient(values, x) / x`.

    There a number over a tensor is the number times 1/x.
    """
    ones = (1.0,) * len(values)
    return (ones, tuple(values)) if len(set(values)) == 1 else (tuple(values), ones)


def norms_over(tensors: Iterable[Tensor]) -> Tensor:
    """The ℓ₂ norm of each member over all the tensors together, (K,), in their dtype.

    As `torch.nn.utils.clip_grad_norm_` has it: the norm of the tensors' norms, so that no square is kept in memory.
    """
    import torch

    each = torch.stack([torch.linalg.vector_norm(tensor.flatten(1), dim=1) for tensor in tensors])
    norms: Tensor = torch.linalg.vector_norm(each, dim=0)
    return norms


def per_member(numbers: Tensor, like: Tensor) -> Tensor:
    """One number for each member, (K,), as (K, 1, ...), which broadcasts over `like`."""
    column: Tensor = numbers.view(-1, *[1] * (like.dim() - 1))
    return column
