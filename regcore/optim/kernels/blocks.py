"""The walk over memory, and what regularizers do to a block of it.

A kernel gets the tensors of a run as addresses, because handing over an array takes longer than the arithmetic on a
bias. It is called once for a step, or once for each thread, with the range of blocks that is its own. Its arguments:

    addresses    (tensors, 8), int64: weight, gradient, mask, root and the optimizer's slots; 0 where there is none
    sizes        (tensors,), int64: P, the numbers of one member
    starts       (tensors + 1,), int64: the place of each tensor's first block among all
    parts        (tensors, K, 5): push, pull, keep, shrink, floor, as in `regcore.optim.elementwise`
    own          (tensors, K, num_own): the optimizer's numbers
    scratch      (2, BLOCK): its address, for what it writes down between
    num_tensors, num_members, num_own
    first, last  the range of blocks

What is here is compiled by numba, which makes a float64 of a float32 that meets a number written in the code, and takes
it that slices of arrays may raise, which no kernel can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from regcore.optim.kernels.table import (
    BLOCK,
    FLOOR,
    GRADIENT,
    MASK,
    NUM_ADDRESSES,
    NUM_PARTS,
    PULL,
    PUSH,
)

Array = Any
"""A one-dimensional part of a tensor, or a row of a table."""


def walk(move: Callable[..., None]) -> Callable[..., None]:
    """The kernel that does something to block after block.

    Args:
        move: Takes the addresses of a tensor, the block's offset and count, the parts and the optimizer's numbers for
            this tensor and member, the scratch's address, and 1 in the tensors' dtype.
    """
    move = numba.njit(forceinline=True)(move)

    def kernel(
        addresses: Array,
        sizes: Array,
        starts: Array,
        parts: Array,
        own: Array,
        scratch: int,
        num_tensors: int,
        num_members: int,
        num_own: int,
        first: int,
        last: int,
    ) -> None:
        rows = numba.carray(addresses, (num_tensors, NUM_ADDRESSES))
        all_parts = numba.carray(parts, (num_tensors, num_members, NUM_PARTS))
        all_own = numba.carray(own, (num_tensors, num_members, num_own))
        one = all_own.dtype.type(1)
        for t in range(num_tensors):
            size, start = sizes[t], starts[t]
            blocks_of_member = (size + BLOCK - 1) // BLOCK
            for block in range(max(first, start) - start, min(last, starts[t + 1]) - start):
                k, low = block // blocks_of_member, block % blocks_of_member * BLOCK
                count = min(BLOCK, size - low)
                move(rows[t], k * size + low, count, all_parts[t, k], all_own[t, k], scratch, one)

    return kernel


@intrinsic  # type: ignore[untyped-decorator]  # numba ships no types
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once, as torch's `add(alpha=…)`, `addcmul` and `lerp` do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return a(a, b, c), generate


@intrinsic  # type: ignore[untyped-decorator]  # the same
def _pointer(context: Any, address: Any, offset: Any, one: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        begin = builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))
        return builder.gep(begin, [arguments[1]])

    return types.CPointer(one)(address, offset, one), generate


@numba.njit(forceinline=True)  # type: ignore[untyped-decorator]  # the same
def numbers_at(address: int, offset: int, count: int, one: Any) -> Array:
    """Numbers of the dtype of `one`, from an offset on, at an address."""
    return numba.carray(_pointer(address, offset, one), (count,))


@numba.njit(forceinline=True)  # type: ignore[untyped-decorator]  # the same
def full_gradient(w: Array, row: Array, offset: int, count: int, part: Array, scratch: int, one: Any) -> Array:
    """g + push·sign(w) + pull·w, in the scratch if anything is added."""
    g = numbers_at(row[GRADIENT], offset, count, one)
    push, pull = part[PUSH], part[PULL]
    if push != 0 or pull != 0:
        full = numbers_at(scratch, 0, count, one)
        for i in range(count):
            full[i] = g[i]
        g = full
    if push != 0:
        for i in range(count):
            g[i] = g[i] + push if w[i] > 0 else (g[i] - push if w[i] < 0 else g[i])
    if pull != 0:
        for i in range(count):
            g[i] = fma(pull, w[i], g[i])
    return g


@numba.njit(forceinline=True)  # type: ignore[untyped-decorator]  # the same
def keep_(w: Array, count: int, keep: Any) -> None:
    """w ← keep·w."""
    if keep != 1:
        for i in range(count):
            w[i] *= keep


@numba.njit(forceinline=True)  # type: ignore[untyped-decorator]  # the same
def soft(w: Any, threshold: Any) -> Any:
    """S(w, threshold): w − t, w + t, or w − w, which is not a number if w is none."""
    return w - threshold if w > threshold else (w + threshold if w < -threshold else w - w)


@numba.njit(forceinline=True)  # type: ignore[untyped-decorator]  # the same
def shrink_(w: Array, count: int, threshold: Any) -> None:
    """w ← S(w, threshold); a threshold below 0 stands for none."""
    if threshold >= 0:
        for i in range(count):
            w[i] = soft(w[i], threshold)


@numba.njit(forceinline=True)  # type: ignore[untyped-decorator]  # the same
def limit_(w: Array, row: Array, offset: int, count: int, part: Array, one: Any) -> None:
    """w ← mask·max(floor, w)."""
    floor = part[FLOOR]
    if floor > -np.inf:
        for i in range(count):
            w[i] = floor if w[i] < floor else w[i]
    if row[MASK] != 0:
        alive = numbers_at(row[MASK], offset, count, one)
        for i in range(count):
            w[i] *= alive[i]
