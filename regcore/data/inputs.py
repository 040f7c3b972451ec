"""What a spec takes from a set for the network to learn from: known from the set's facts, with no row read.

Each modality has a class of its own, `TableInputs`, `ImageInputs` and so on, and a function that makes one from the
facts and a spec; `regcore.data.modalities` knows them all. Neither torch nor NumPy is needed until rows are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from regcore.data.tables.facts import Modality, TableFacts
from regcore.doubts import Doubt
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from regcore.data.encoded import Columns, Encoder


STANDARDIZED: Final = ("table", "audio")
"""The modalities whose numbers are standardized if a spec does not say. Images stay in [0, 1]."""


class Inputs(Protocol):
    """The inputs of the networks of one spec."""

    @property
    def modality(self) -> Modality:
        """What they are."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that they come from, in the order of the set."""
        ...

    @property
    def row(self) -> RowInfo:
        """One row as the network gets it."""
        ...

    @property
    def features(self) -> Any:
        """The spec's `data.features`, with every default filled in."""
        ...

    def doubts(
        self, table: TableFacts, spec: Any, *, target: str | None, class_counts: Mapping[str, int] | None
    ) -> Sequence[Doubt]:
        """What is doubtful about training on them, as far as the facts tell."""
        ...

    def read(self, columns: Any) -> Columns:
        """Those of their columns that are there, of a set (a `pyarrow.Table`), as they are fitted and encoded.

        Nothing large is decoded yet.
        """
        ...

    def fit(self, train: Columns, *, standardize: bool, given: Sequence[str], target: str | None) -> Encoder:
        """Learn from the train rows what encoding needs.

        Args:
            train: Of the train rows, what `read` gives.
            standardize: Whether numbers are scaled to mean 0 and variance 1.
            given: All columns of the set but the target.
            target: The target's column; None if it has no name.
        """
        ...


def standardizes(inputs: Inputs, data: Any) -> bool:
    """Whether a spec's numbers are standardized: as its `data` say, else by modality."""
    said: bool | None = data.standardize
    return inputs.modality in STANDARDIZED if said is None else said
