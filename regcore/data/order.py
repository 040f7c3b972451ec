"""The order of rows: which rows a step takes is a function of the seed, the epoch and the step's place in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from regcore.streams import generator

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Rows


class Order:
    """Row numbers of each step. Nothing of it is saved: it follows from the seeds.

    Args:
        rows: What is learned from.
        size: Rows of a step but the last, which may have fewer.
    """

    def __init__(self, rows: Rows, size: int) -> None:
        self._num_rows = len(rows)
        self.size = size
        self._known: tuple[tuple[tuple[int, ...], int] | None, Sequence[Tensor]] = (None, ())

    def rows(self, seeds: tuple[int, ...], epoch: int, position: int) -> Tensor:
        """Row numbers of one step, (K, B): every member has its own order. The epoch's last step may have fewer."""
        import torch

        known, steps = self._known
        if known != (seeds, epoch):
            orders = [torch.randperm(self._num_rows, generator=generator(seed, "order", epoch)) for seed in seeds]
            steps = torch.split(torch.stack(orders), self.size, dim=1)
            self._known = (seeds, epoch), steps
        return steps[position]
