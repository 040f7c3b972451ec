"""The columns of a table as inputs of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from regcore.data.features import TableFeatures
from regcore.data.tables.facts import TableFacts
from regcore.data.tables.features import Feature, choose_features
from regcore.data.tables.findings import from_facts
from regcore.doubts import Doubt
from regcore.errors import FieldError
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from regcore.data.encoded import Columns
    from regcore.data.tables.encode import TablePreprocessing


@dataclass(frozen=True)
class TableInputs:
    """Columns, each with its places in a row of the network.

    Attributes:
        chosen: The columns, in the order of the file.
        features: How gaps and categories are treated.
    """

    chosen: tuple[Feature, ...]
    features: TableFeatures

    @property
    def modality(self) -> Literal["table"]:
        """Rows of several columns."""
        return "table"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(feature.name for feature in self.chosen)

    @property
    def row(self) -> RowInfo:
        """(places,)."""
        return RowInfo((sum(feature.num_places for feature in self.chosen),))

    def doubts(
        self, table: TableFacts, spec: Any, *, target: str | None, class_counts: Mapping[str, int] | None
    ) -> Sequence[Doubt]:
        """Columns and classes that are unlikely to be meant as they are."""
        return from_facts(table, spec, target=target, class_counts=class_counts, width=self.row.num_values)

    def read(self, columns: Any) -> Columns:
        """Each as its type says."""
        from regcore.data.tables.read_column import read_column

        there = set(columns.column_names)
        wanted = [one for one in self.chosen if one.name in there]
        return {one.name: read_column(columns[one.name], one.type, one.reading) for one in wanted}

    def fit(self, train: Columns, *, standardize: bool, given: Sequence[str], target: str | None) -> TablePreprocessing:
        """Fills, means, scales and categories."""
        from regcore.data.tables.fit import fit_columns

        return fit_columns(
            self.chosen,
            train,
            missing=self.features.missing,
            standardize=standardize,
            given=given,
            target=target,
        )


def choose_table(table: TableFacts, data: Any, target: str | None, errors: list[FieldError]) -> TableInputs:
    """Every column that is no target, split or group, and was not excluded."""
    features = data.features or TableFeatures()
    return TableInputs(tuple(choose_features(table, data, target, features, errors)), features)
