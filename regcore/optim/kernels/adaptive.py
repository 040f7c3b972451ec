"""Adam and RMSprop: steps divided by the root of a running mean of squared gradients.

They take two passes, because torch's square root of many numbers is its library's, which does not always round to the
nearest: torch computes it between the passes, so that results are the same with and without these kernels.
"""

from __future__ import annotations

from typing import Any

import numba

from regcore.optim.kernels.blocks import Array, fma, full_gradient, keep_, limit_, numbers_at, soft
from regcore.optim.kernels.table import BLOCK, KEEP, ROOT, SHRINK, SLOT, WEIGHT


def second_moment(row: Array, offset: int, count: int, part: Array, own: Array, scratch: int, one: Any) -> None:
    """s ← αs + (1−α)g², s the first slot. Its own numbers begin with α and 1−α."""
    decay, share = own[0], own[1]
    w = numbers_at(row[WEIGHT], offset, count, one)
    g = full_gradient(w, row, offset, count, part, scratch, one)
    s = numbers_at(row[SLOT], offset, count, one)
    for i in range(count):
        s[i] = fma(share * g[i], g[i], s[i] * decay)


def adam(row: Array, offset: int, count: int, part: Array, own: Array, scratch: int, one: Any) -> None:
    """m ← β₁m + (1−β₁)g;  w ← w − η·m̂/(√v̂ + ε), with √v given and m the second slot.

    Its own numbers, after the second moment's: ε; a and b of the reach a/(√v̂ + ε)·b; 1−β₁, √(1−β₂ᵗ), −η/(1−β₁ᵗ).
    """
    eps, share, correction, descent = own[2], own[5], own[6], own[7]
    w = numbers_at(row[WEIGHT], offset, count, one)
    g = full_gradient(w, row, offset, count, part, scratch, one)
    m, root = numbers_at(row[SLOT + 1], offset, count, one), numbers_at(row[ROOT], offset, count, one)
    denominators = numbers_at(scratch, BLOCK, count, one)
    keep_(w, count, part[KEEP])
    # As torch's `lerp`, which begins at the nearer end.
    if share + share < one:
        for i in range(count):
            m[i] = fma(share, g[i] - m[i], m[i])
    else:
        for i in range(count):
            m[i] = fma(share - one, g[i] - m[i], g[i])
    for i in range(count):
        denominators[i] = root[i] / correction + eps
        w[i] += descent * m[i] / denominators[i]
    _shrink_by_coordinate_(w, count, part[SHRINK], own, denominators)
    limit_(w, row, offset, count, part, one)


def rmsprop(row: Array, offset: int, count: int, part: Array, own: Array, scratch: int, one: Any) -> None:
    """v ← μv + g/(√s + ε);  w ← w − ηv, with √s given and v the second slot, if there is one.

    Its own numbers, after the second moment's: ε; a and b as in `adam`; the momentum, and minus the learning rate.
    """
    eps, momentum, descent = own[2], own[5], own[6]
    w = numbers_at(row[WEIGHT], offset, count, one)
    g = full_gradient(w, row, offset, count, part, scratch, one)
    root = numbers_at(row[ROOT], offset, count, one)
    denominators = numbers_at(scratch, BLOCK, count, one)
    keep_(w, count, part[KEEP])
    for i in range(count):
        denominators[i] = root[i] + eps
    if row[SLOT + 1] == 0:
        for i in range(count):
            w[i] += descent * g[i] / denominators[i]
    else:
        v = numbers_at(row[SLOT + 1], offset, count, one)
        for i in range(count):
            v[i] = v[i] * momentum + g[i] / denominators[i]
            w[i] = fma(descent, v[i], w[i])
    _shrink_by_coordinate_(w, count, part[SHRINK], own, denominators)
    limit_(w, row, offset, count, part, one)


@numba.njit(forceinline=True)  # type: ignore[untyped-decorator]  # numba ships no types
def _shrink_by_coordinate_(w: Array, count: int, strength: Any, own: Array, denominators: Array) -> None:
    """w ← S(w, strength·reach) with the reach of each coordinate; a strength below 0 stands for none."""
    if strength >= 0:
        dividend, factor = own[3], own[4]
        for i in range(count):
            w[i] = soft(w[i], dividend / denominators[i] * factor * strength)
