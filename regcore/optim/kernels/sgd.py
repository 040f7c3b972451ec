"""Gradient descent with momentum in one pass: v ← μv + g;  w ← w − ηv   (Nesterov: w ← w − η(g + μv))."""

from __future__ import annotations

from typing import Any

from regcore.optim.kernels.blocks import Array, fma, full_gradient, keep_, limit_, numbers_at, shrink_
from regcore.optim.kernels.table import KEEP, SHRINK, SLOT, WEIGHT


def sgd(row: Array, offset: int, count: int, part: Array, own: Array, scratch: int, one: Any) -> None:
    """Move a block of weights.

    Its own numbers are the momentum, minus the learning rate, and 1 for Nesterov's step. Without a velocity the step is
    that of plain gradient descent.
    """
    momentum, descent, looks_ahead = own[0], own[1], own[2]
    w = numbers_at(row[WEIGHT], offset, count, one)
    g = full_gradient(w, row, offset, count, part, scratch, one)
    keep_(w, count, part[KEEP])
    if row[SLOT] == 0:
        for i in range(count):
            w[i] = fma(descent, g[i], w[i])
    else:
        v = numbers_at(row[SLOT], offset, count, one)
        if looks_ahead == 0:
            for i in range(count):
                v[i] = v[i] * momentum + g[i]
                w[i] = fma(descent, v[i], w[i])
        else:
            for i in range(count):
                v[i] = v[i] * momentum + g[i]
                w[i] = fma(descent, fma(momentum, v[i], g[i]), w[i])
    shrink_(w, count, part[SHRINK])
    limit_(w, row, offset, count, part, one)
