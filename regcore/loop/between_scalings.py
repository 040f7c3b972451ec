"""The map from the rows of one run's network to those of another's, which was fitted on other rows of the same kind."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from regcore.data.encoded import Preprocessing
from regcore.data.tables.encode import EncodedColumn, TablePreprocessing
from regcore.data.tables.findings import names_of


@dataclass(frozen=True, eq=False)
class Affine:
    """x ↦ matrix · x + offset.

    Attributes:
        matrix: (their places, our places), sparse, float64.
        offset: (their places,), float64.
    """

    matrix: Any
    offset: NDArray[np.float64]

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        places = self.matrix.shape[0]
        return not self.offset.any() and (self.matrix != sparse.identity(places, format="csr")).nnz == 0


def are_of_one_kind(theirs: Preprocessing, ours: Preprocessing) -> bool:
    """Whether raw rows of the one are raw rows of the other, and take the same places."""
    return theirs.layout == ours.layout


def other_rows(theirs: Preprocessing, ours: Preprocessing) -> str:
    """What the one is of, in words, where they are not of one kind."""
    if not isinstance(ours, TablePreprocessing) or not isinstance(theirs, TablePreprocessing):
        return "other columns, another shape, or another vocabulary"
    there, here = ([column.name for column in one.encoded] for one in (theirs, ours))
    only = {"there": [name for name in there if name not in here], "here": [name for name in here if name not in there]}
    if any(only.values()):
        told = "; ".join(f"only {where} {names_of(names)}" for where, names in only.items() if names)
        return f"other columns: {told}"
    if there != here:
        return f"the same columns in another order: {names_of(there)}"
    places = zip(here, theirs.layout[1:], ours.layout[1:], strict=True)
    differing = [name for name, their, our in places if their != our]
    return f"columns of another type, or with other values or gaps: {names_of(differing)}"


def between(theirs: Preprocessing, ours: Preprocessing) -> Affine:
    """From our rows to theirs, both of one kind."""
    if not isinstance(ours, TablePreprocessing) or not isinstance(theirs, TablePreprocessing):
        return _between_numbers(theirs, ours)
    (width,) = ours.feature_shape
    entries: dict[tuple[int, int], float] = {}
    offset = np.zeros(width)
    for their, our in zip(theirs.encoded, ours.encoded, strict=True):
        start = ours.starts[our.name]
        columns = _category if our.type == "category" else _measure
        for (row, column), value in columns(their, our).items():
            entries[start + row, start + column] = value
        if our.type in ("number", "date"):
            offset[start] = ((our.mean or 0.0) - (their.mean or 0.0)) / (their.std or 1.0)
    rows, columns_, values = zip(*((row, column, value) for (row, column), value in entries.items()), strict=True)
    return Affine(sparse.csr_matrix((values, (rows, columns_)), shape=(width, width)), offset)


def other_categories(theirs: Preprocessing, ours: Preprocessing) -> list[str]:
    """The columns whose categories with a place of their own differ."""
    if not isinstance(ours, TablePreprocessing) or not isinstance(theirs, TablePreprocessing):
        return []
    pairs = zip(theirs.encoded, ours.encoded, strict=True)
    return [our.name for their, our in pairs if set(their.categories) != set(our.categories)]


def _between_numbers(theirs: Preprocessing, ours: Preprocessing) -> Affine:
    """Each number is scaled by itself, or none is."""
    if theirs.scaling is None or ours.scaling is None:
        return Affine(sparse.identity(1, format="csr"), np.zeros(1))
    (their_mean, their_std), (mean, std) = theirs.scaling, ours.scaling
    return Affine(sparse.diags(std / their_std, format="csr"), (mean - their_mean) / their_std)


def _measure(their: EncodedColumn, our: EncodedColumn) -> dict[tuple[int, int], float]:
    """Of a number, a truth value or a date: the first place is scaled, and a gap is filled as they fill it."""
    last = our.num_places - 1
    num_values = our.num_places - our.marks_gaps
    entries = {(place, place): 1.0 for place in range(num_values)}
    entries[0, 0] = (our.std or 1.0) / (their.std or 1.0)
    if our.marks_gaps and our.had_gaps:
        entries[last, last] = float(their.had_gaps)
        fills = [((their.fill or 0.0) - (our.fill or 0.0)) / (their.std or 1.0)]
        fills += [theirs - ours for theirs, ours in zip(their.calendar_fill, our.calendar_fill, strict=True)]
        entries |= {(place, last): change for place, change in enumerate(fills)}
    elif our.marks_gaps:
        entries[last, last] = 1.0
    return entries


def _category(their: EncodedColumn, our: EncodedColumn) -> dict[tuple[int, int], float]:
    """A category keeps its weights at its new place; one that had none there has those of the rare ones."""
    pooled, last = our.num_places - 1 - our.marks_gaps, our.num_places - 1
    places = {category: place for place, category in enumerate(their.categories)}
    entries = {(places.get(category, pooled), place): 1.0 for place, category in enumerate(our.categories)}
    # Places that no category took in our run are never read; theirs are kept.
    entries |= {(place, place): 1.0 for place in range(len(our.categories), pooled + 1)}
    if our.marks_gaps:
        entries[last if their.had_gaps or not our.had_gaps else pooled, last] = 1.0
    return entries
