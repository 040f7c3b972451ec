"""Which columns of a table are features, how each is read, and how many places it takes in a row of the network."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from regcore.data.features import TableFeatures
from regcore.data.tables.facts import ColumnFacts, ColumnType, Reading, TableFacts
from regcore.errors import FieldError, json_pointer, shortened

DATE_PLACES: Final = 12
"""Days since 1970, the day of the year and of the month on a circle, and the seven weekdays."""
TIME_PLACES: Final = 4
"""The time of day on a circle, once and twice around."""
_UNUSED: Final = ("text", "image", "audio", "ignore")
_MAX_NAMES: Final = 10


@dataclass(frozen=True, slots=True)
class Feature:
    """A column that the network gets.

    Attributes:
        name: Of the column.
        type: What it is read as.
        reading: How.
        has_gaps: Whether it has a gap anywhere in the file; then one place says where.
        num_categories: Places of a category's own; one more is for all others.
    """

    name: str
    type: ColumnType
    reading: Reading
    has_gaps: bool = False
    num_categories: int = 0

    @property
    def num_places(self) -> int:
        """Numbers in a row of the network, the indicator of gaps included."""
        values = {
            "category": self.num_categories + 1,
            "date": DATE_PLACES + (TIME_PLACES if self.reading.has_time else 0),
        }
        return values.get(self.type, 1) + self.has_gaps


def choose_features(
    table: TableFacts, data: Any, target: str | None, settings: TableFeatures, errors: list[FieldError]
) -> list[Feature]:
    """The features of a spec's `data`, in the order of the file; what is wrong is added to `errors`."""
    names = [column.name for column in table.columns]
    for position, name in enumerate(data.exclude):
        check_known(name, names, json_pointer(["data", "exclude", position]), errors)
    for name in data.types:
        check_known(name, names, json_pointer(["data", "types", name]), errors)
    taken = {*data.exclude, target, data.split_column, data.group_column}
    found = [_feature(column, data, settings, errors) for column in table.columns if column.name not in taken]
    features = [feature for feature in found if feature is not None]
    if not features and not errors:
        left_out = ", ".join(f"{name!r}" for name in names[:_MAX_NAMES] if name not in taken)
        text = f" ({left_out} are text or ignored: say in data.types how to read them)" if left_out else ""
        errors.append(FieldError("/data", "no_features", f"no column is left to learn from{text}. Exclude fewer."))
    return features


def check_known(name: str, names: Collection[str], pointer: str, errors: list[FieldError]) -> bool:
    """Whether there is such a column; if not, say which ones there are."""
    if name in names:
        return True
    near = near_names(name, names)
    known = list(names)
    listed = ", ".join(repr(one) for one in known[:_MAX_NAMES]) + (
        f" and {len(known) - _MAX_NAMES:,} more" if len(known) > _MAX_NAMES else ""
    )
    hint = f" Did you mean {' or '.join(repr(one) for one in near)}?" if near else ""
    message = f"the table has no column {shortened(name, 200)!r}; it has {shortened(listed, 500)}.{hint}"
    errors.append(FieldError(pointer, "unknown_column", message))
    return False


def near_names(name: str, names: Collection[str]) -> list[str]:
    """At most three that may have been meant."""
    folded = {known.strip().casefold(): known for known in names}
    return [folded[key] for key in get_close_matches(name.strip().casefold(), folded, n=3, cutoff=0.6)]


def reading_of(column: ColumnFacts, data: Any, errors: list[FieldError]) -> tuple[ColumnType, Reading | None]:
    """The type of a column and how it is read; None if it is not read, or cannot be."""
    wanted = data.types.get(column.name, column.type)
    if wanted in _UNUSED:
        return wanted, None
    reading = column.readings.get(wanted)
    if reading is None:
        shown = ", ".join(repr(text) for text in column.examples[:3])
        message = (
            f"fewer than half of the cells of {column.name!r} can be read as {wanted}: {shown}. "
            f"It was found to be {column.type}; leave it out of data.types, or correct the file."
        )
        errors.append(FieldError(json_pointer(["data", "types", column.name]), "unreadable_column", message))
    return wanted, reading


def _feature(column: ColumnFacts, data: Any, settings: TableFeatures, errors: list[FieldError]) -> Feature | None:
    wanted, reading = reading_of(column, data, errors)
    if reading is None:
        return None
    num_categories = min(reading.num_distinct, settings.max_categories) if wanted == "category" else 0
    has_gaps = reading.num_missing + reading.num_unreadable > 0
    return Feature(column.name, wanted, reading, has_gaps, num_categories)
