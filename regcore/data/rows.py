"""Rows by number: a batch of them for K members, from memory or from a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from regcore.shapes import RowInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows of K members; K is 1 where all members see the same.

    Attributes:
        x: (K, B, *shape).
        y: Targets, (K, B, ...): classes, numbers, or soft targets.
        lengths: How much of each row is in use, (K, B); None where rows do not vary.
    """

    x: Tensor
    y: Tensor
    lengths: Tensor | None = None

    def having(self, **parts: Any) -> Batch:
        """The same with other parts."""
        return replace(self, **parts)

    def to(self, device: torch.device) -> Batch:
        """The same on a device; itself if it is there."""
        if self.x.device == device:
            return self
        lengths = None if self.lengths is None else self.lengths.to(device)
        return Batch(self.x.to(device), self.y.to(device), lengths)


class Rows(Protocol):
    """A split: what its rows are, and any of them by number."""

    @property
    def info(self) -> RowInfo:
        """One row."""
        ...

    @property
    def block_rows(self) -> int | None:
        """Rows that are read together, as those of a block in a file; None where any row costs the same."""
        ...

    def __len__(self) -> int: ...

    def fetch(self, numbers: Tensor) -> Batch:
        """These rows, for row numbers (K, B) on any device; the batch is where the rows are."""
        ...

    def expect(self, numbers: Tensor) -> None:
        """Say that these rows, (K, B), will be fetched soon, so that a disk can begin to read them."""
        ...

    def identify(self, digest: Hash) -> None:
        """Feed to a digest what tells these rows from others: they themselves, or the digest of their file."""
        ...


class Hash(Protocol):
    """A digest of `hashlib`."""

    def update(self, data: Any, /) -> None: ...


def chunks(rows: Rows, size: int, device: torch.device, order: Tensor | None = None) -> Iterator[Batch]:
    """All rows, so many at once; K is 1.

    Args:
        rows: A split.
        size: Rows in a chunk; the last may have fewer.
        device: Where the chunks are wanted.
        order: Their numbers in the order in which they are wanted, (N,); None for their own.
    """
    import torch

    for begin in range(0, len(rows), size):
        end = min(begin + size, len(rows))
        numbers = torch.arange(begin, end, dtype=torch.int64) if order is None else order[begin:end]
        yield rows.fetch(numbers.unsqueeze(0)).to(device)
