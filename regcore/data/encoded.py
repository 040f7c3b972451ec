"""Rows as the network gets them, and what every preprocessing does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from numpy.typing import NDArray

from regcore.doubts import Doubt
from regcore.shapes import RowInfo

Columns = Mapping[str, Any]
"""By name, what `Inputs.read` gives for rows of a set."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Rows of a network.

    Attributes:
        x: (N, *row.shape): float32 or float64; int64 for tokens.
        lengths: How much of each row is in use, (N,), int64; None where rows do not vary.
        notes: What the rows hold that is unusual, in whole sentences.
        doubts: The same for who trains on them; a message goes on after the name of a split.
        num_readable: Rows that hold anything that training knows; None where each does.
    """

    x: NDArray[Any]
    lengths: NDArray[Any] | None = None
    notes: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    num_readable: int | None = None


class Preprocessing(Protocol):
    """From rows of a set to rows of the network: fitted on the train rows alone, kept in `model.json`."""

    @property
    def kind(self) -> str:
        """`table`, `image`, `text`, `audio` or `sequence`."""
        ...

    @property
    def row(self) -> RowInfo:
        """One row of the network."""
        ...

    @property
    def is_fitted(self) -> bool:
        """Whether anything depends on the train rows."""
        ...

    @property
    def layout(self) -> tuple[Any, ...]:
        """What each place of a row stands for: networks of equal layouts can take each other's weights."""
        ...

    @property
    def scaling(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """Mean and standard deviation of each number of a row, flat; None where numbers are not scaled."""
        ...

    def to_json(self) -> dict[str, Any]:
        """As `preprocessing` in `model.json`."""
        ...


class Encoder(Preprocessing, Protocol):
    """A preprocessing of a set's columns."""

    def encode(self, columns: Columns, dtype: Any) -> Encoded:
        """Rows of the network.

        Args:
            columns: At least those that it was fitted on.
            dtype: float32 or float64; tokens are int64.

        Raises:
            InvalidDataError: A row cannot be encoded.
        """
        ...
