"""The order of rows: which rows a step takes is a function of the seed, the epoch and the step's place in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from regcore.streams import generator, stream_seed

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Rows

_ROWS_AT_ONCE: Final = 4096
"""Rows of a member whose places are found together: calls of NumPy cost more than the arithmetic of a few rows."""


_Part = tuple[tuple[tuple[int, ...], int, int] | None, "Sequence[Tensor]"]
"""Some steps, by the seeds, the epoch and their place in it."""


class Order:
    """Row numbers of each step. Nothing of it is saved: it follows from the seeds.

    Rows of which any costs the same are shuffled by `torch.randperm`; of others, blocks by a permutation without a
    table.

    Args:
        rows: What is learned from.
        size: Rows of a step but the last, which may have fewer.
    """

    def __init__(self, rows: Rows, size: int) -> None:
        self._rows = rows
        self._num_rows = len(rows)
        self._block_rows = rows.block_rows
        self.size = size
        num_steps = -(-self._num_rows // size)
        self._num_steps = num_steps if self._block_rows is None else max(1, _ROWS_AT_ONCE // size)
        self._known: _Part = (None, ())
        self._ahead: _Part = (None, ())

    def rows(self, seeds: tuple[int, ...], epoch: int, position: int) -> Tensor:
        """Row numbers of one step, (K, B): every member has its own order. The epoch's last step may have fewer."""
        import torch

        assert 0 <= position * self.size < self._num_rows, "an epoch has this step"
        part, place = divmod(position, self._num_steps)
        if self._known[0] != (seeds, epoch, part):
            self._known = self._ahead if self._ahead[0] == (seeds, epoch, part) else self._part(seeds, epoch, part)
            if self._block_rows is not None and (part + 1) * self._num_steps * self.size < self._num_rows:
                self._ahead = self._part(seeds, epoch, part + 1)
                self._rows.expect(torch.cat(list(self._ahead[1]), dim=1))
        return self._known[1][place]

    def _part(self, seeds: tuple[int, ...], epoch: int, part: int) -> _Part:
        """Some steps of every member."""
        import torch

        orders = [self._order(seed, epoch, part) for seed in seeds]
        return (seeds, epoch, part), torch.split(torch.stack(orders), self.size, dim=1)

    def _order(self, seed: int, epoch: int, part: int) -> Tensor:
        """Row numbers of some steps of one member: of all, if they are of a table."""
        import torch

        if self._block_rows is None:
            return torch.randperm(self._num_rows, generator=generator(seed, "order", epoch))
        import numpy as np

        from regcore.data.permutation import blockwise

        num_rows = self._num_steps * self.size
        places = np.arange(part * num_rows, min((part + 1) * num_rows, self._num_rows))
        numbers = blockwise(places, self._num_rows, self._block_rows, stream_seed(seed, "order", epoch))
        return torch.from_numpy(numbers)
