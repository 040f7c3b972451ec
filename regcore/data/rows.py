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


class Rows(Protocol):
    """A split: what its rows are, and any of them by number."""

    @property
    def info(self) -> RowInfo:
        """One row."""
        ...

    def __len__(self) -> int: ...

    def fetch(self, numbers: Tensor) -> Batch:
        """These rows, for row numbers (K, B)."""
        ...

    def identify(self, digest: Hash) -> None:
        """Feed to a digest what tells these rows from others: they themselves, or the digest of their file."""
        ...


class Hash(Protocol):
    """A digest of `hashlib`."""

    def update(self, data: Any, /) -> None: ...


def chunks(rows: Rows, size: int, device: torch.device) -> Iterator[Batch]:
    """All rows in their order, so many at once; K is 1.

    Args:
        rows: A split.
        size: Rows in a chunk; the last may have fewer.
        device: Where the split gives its rows.
    """
    import torch

    for numbers in torch.split(torch.arange(len(rows), device=device), size):
        yield rows.fetch(numbers.unsqueeze(0))
