"""Rows by number: a batch of them for K members, from memory or from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from regcore.shapes import RowInfo

if TYPE_CHECKING:
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
