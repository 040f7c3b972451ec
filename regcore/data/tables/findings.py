"""What the facts of a table suggest that its owner may not have meant: no row is read, so an api can tell it at once.

What needs rows is in `row_findings`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

from regcore.data.tables.facts import Cell, ColumnFacts, ColumnType, TableFacts
from regcore.doubts import Doubt
from regcore.errors import json_pointer, shortened

MAX_TOLD: Final = 10
"""The most columns that are named one by one with the same finding."""
MAX_PATCHED: Final = 1_000
"""The most columns that one patch changes: a longer one would not fit into a request."""
_LARGE_SHARE: Final = 0.8
"""Share of the rows from which one class makes accuracy a poor measure."""
_LARGE_RATIO: Final = 10
"""The same, as the ratio of the largest class to the smallest."""
_FEWEST_ROWS: Final = 20
"""In fewer rows, columns count up or stay the same by chance."""
_FEW_BAD_CELLS: Final = 0.1
"""The largest share of cells that can be slips in a column of another type."""
_SLIPPED_KINDS: Final[tuple[ColumnType, ...]] = ("number", "date")
_FEWEST_DATES: Final = 10
_MANY_OF_EACH: Final = 2
"""Rows for each value of a column, on average, from which it is a category and no identifier."""

_CATEGORY_WORDS: Final = frozenset(
    ("zip", "zipcode", "postcode", "postalcode", "postal", "plz", "fips", "code", "sku")
).union(("category", "class", "kind", "type", "segment", "cluster", "gender", "sex", "status"))
_IDENTIFIER_WORDS: Final = frozenset(("id", "ids", "uid", "uuid", "guid", "identifier", "key", "rownum", "rowid"))
_BIRTH_WORDS: Final = frozenset(("birth", "birthday", "birthdate", "born", "dob"))


class _Spec(Protocol):
    @property
    def data(self) -> Any: ...
    @property
    def task(self) -> Any: ...


def from_facts(
    table: TableFacts, spec: _Spec, *, target: str | None, class_counts: Mapping[str, int] | None, width: int
) -> list[Doubt]:
    """What is doubtful about training on this table.

    Args:
        table: Its facts.
        spec: A job spec whose data are this table.
        target: The column to predict; None if there is none.
        class_counts: Rows of each of its classes; None if it has none.
        width: Numbers in a row as the network gets it.
    """
    taken = {target, spec.data.split_column, spec.data.group_column, *spec.data.exclude}
    columns = [column for column in table.columns if column.name not in taken]
    types = {column.name: spec.data.types.get(column.name, column.type) for column in columns}
    features = [column for column in columns if types[column.name] not in ("text", "ignore")]
    numbers = [column for column in features if types[column.name] == "number"]
    found = [column for column in columns if column.name not in spec.data.types]
    return [
        *about_classes(target, class_counts, spec),
        *_slips(found, table.num_rows),
        *_unreadable(columns, spec),
        *_told([c for c in found if _is_empty(c, table)], _constant),
        *_told([c for c in features if _is_constant(c)], _constant),
        *_told([c for c in numbers if _is_identifier(c, table)], _identifier),
        *_told([c for c in numbers if c.name not in spec.data.types and _says_category(c, table)], _number_as_category),
        *_dates([c for c in features if types[c.name] == "date"], spec),
        *_told(
            [
                c
                for c in found
                if c.type == "text" and not any(_has_slips(c, k, table.num_rows) for k in _SLIPPED_KINDS)
            ],
            partial(_text, num_rows=table.num_rows),
        ),
        *_fewer_rows(table, width),
    ]


def excluding(name: str) -> tuple[dict[str, Any], ...]:
    """The patch that leaves a column out."""
    return ({"op": "add", "path": "/data/exclude/-", "value": name},)


def _typed(name: str, column_type: ColumnType) -> tuple[dict[str, Any], ...]:
    return ({"op": "add", "path": json_pointer(["data", "types", name]), "value": column_type},)


def _told(columns: Sequence[ColumnFacts], tell: Callable[[ColumnFacts], Doubt]) -> Iterator[Doubt]:
    """The same finding for several columns."""
    return together([column.name for column in columns], (tell(column) for column in columns))


def together(names: Sequence[str], doubts: Iterable[Doubt]) -> Iterator[Doubt]:
    """The doubt of each of these columns: the first ones by themselves, the others as one.

    Args:
        names: The columns'.
        doubts: One of each, all of one code.
    """
    found = list(doubts)
    yield from found[:MAX_TOLD]
    others = found[MAX_TOLD:]
    if others:
        patch = tuple(step for doubt in others for step in doubt.patch) if len(others) <= MAX_PATCHED else ()
        message = f"The same holds for {len(others):,} other columns: {names_of(names[MAX_TOLD:])}."
        yield replace(others[0], message=message, patch=patch)


def names_of(names: Iterable[str]) -> str:
    """Quoted, cut if they are many."""
    return shortened(", ".join(map(repr, names)), 200)


def about_classes(target: str | None, class_counts: Mapping[str, int] | None, spec: _Spec) -> Iterator[Doubt]:
    """What is doubtful about the classes of a target, whatever predicts them; nothing without classes.

    Args:
        target: The column to predict; None if there is none.
        class_counts: Rows of each of its classes; None if it has none.
        spec: A job spec.
    """
    if target is None or class_counts is None or len(class_counts) < 2:  # one class is refused elsewhere
        return
    counts = Counter(class_counts)
    spellings = Counter(label.casefold() for label in counts)
    alike = [label for label in counts if spellings[label.casefold()] > 1]
    if alike:
        yield Doubt(
            "/data/target",
            "classes_alike",
            f"Classes of {target!r} differ in upper and lower case alone: {names_of(alike)}.",
            "If they are the same class, spell them alike in the file.",
        )
    (largest, most), (smallest, fewest) = counts.most_common()[0], counts.most_common()[-1]
    share = most / counts.total()
    if spec.task.class_weights is None and (share >= _LARGE_SHARE or most >= _LARGE_RATIO * fewest):
        yield Doubt(
            "/data/target",
            "class_imbalance",
            f"{most:,} of {counts.total():,} rows are {largest!r}, and {fewest:,} are {smallest!r}: always to say "
            f"{largest!r} is {100 * share:.1f} % accurate.",
            "Judge by balanced_accuracy, macro_f1 or average_precision, as objective and for early stopping too; "
            "task.class_weights 'balanced' makes each class count alike.",
            ({"op": "add", "path": "/task/class_weights", "value": "balanced"},),
        )


def _slips(columns: Sequence[ColumnFacts], num_rows: int) -> Iterator[Doubt]:
    """Columns of numbers or dates that a few cells turn into categories or text."""
    for kind in _SLIPPED_KINDS:
        slipped = [column for column in columns if _has_slips(column, kind, num_rows)]
        yield from _told(slipped, partial(_slip, kind=kind))


def _has_slips(column: ColumnFacts, kind: ColumnType, num_rows: int) -> bool:
    reading = column.readings.get(kind)
    if reading is None or column.type not in ("category", "text"):
        return False
    return 0 < reading.num_unreadable <= _FEW_BAD_CELLS * (num_rows - reading.num_missing)


def _slip(column: ColumnFacts, *, kind: ColumnType) -> Doubt:
    reading = column.readings[kind]
    how_many = "1 cell is" if reading.num_unreadable == 1 else f"{reading.num_unreadable:,} cells are"
    return Doubt(
        "/data/types",
        f"{kind}_read_as_{column.type}",
        f"{column.name!r} is read as {column.type} because {how_many} no {kind}: {_places(reading.unreadable)}.",
        f"Correct these cells, or say types: {{{column.name!r}: {kind!r}}}, which takes them for gaps.",
        _typed(column.name, kind),
    )


def _places(cells: Sequence[Cell]) -> str:
    return ", ".join(f"{shortened(cell.text, 40)!r} in row {cell.row:,}" for cell in cells)


def _unreadable(columns: Sequence[ColumnFacts], spec: _Spec) -> Iterator[Doubt]:
    """Cells that are lost because `types` asks for a reading."""
    for column in columns:
        asked = spec.data.types.get(column.name)
        reading = column.readings.get(asked) if asked else None
        if reading is not None and reading.num_unreadable:
            yield Doubt(
                json_pointer(["data", "types", column.name]),
                "cells_unreadable",
                f"{reading.num_unreadable:,} cells of {column.name!r} are no {asked} and count as gaps: "
                f"{_places(reading.unreadable)}.",
                "Correct them, or leave the column's type as it was found.",
            )


def _is_empty(column: ColumnFacts, table: TableFacts) -> bool:
    """Whether the reader ignores it because no row has a value."""
    return column.type == "ignore" and column.num_missing == table.num_rows


def _is_constant(column: ColumnFacts) -> bool:
    return column.num_distinct == 0 or (column.num_distinct == 1 and column.num_missing == 0)


def _constant(column: ColumnFacts) -> Doubt:
    what = f"is {column.examples[0]!r} in every row" if column.num_distinct and column.examples else "has gaps alone"
    message = f"{column.name!r} {what}: it tells nothing."
    return Doubt("/data/exclude", "constant_column", message, "Leave it out.", excluding(column.name))


def _is_identifier(column: ColumnFacts, table: TableFacts) -> bool:
    """A whole number of its own for each row that counts up by 1, or is called an id."""
    reading = column.readings.get("number")
    if reading is None or not reading.is_whole or reading.num_missing or reading.num_distinct < table.num_rows:
        return False
    return table.num_rows >= _FEWEST_ROWS and (_counts_up(column) or bool(_words(column.name) & _IDENTIFIER_WORDS))


def _counts_up(column: ColumnFacts) -> bool:
    reading = column.readings["number"]
    if reading.minimum is None or reading.maximum is None:
        return False
    return reading.maximum - reading.minimum + 1 == reading.num_distinct


def _identifier(column: ColumnFacts) -> Doubt:
    code, what = "identifier", "an identifier"
    if _counts_up(column):
        code, what = "row_number", "a row number"
    return Doubt(
        "/data/exclude",
        code,
        f"{column.name!r} is another whole number in every row, and looks like {what}: a network can learn rows by "
        "heart from it, and nothing that holds for others.",
        "Leave it out, unless it means an amount or a time.",
        excluding(column.name),
    )


def _says_category(column: ColumnFacts, table: TableFacts) -> bool:
    reading = column.readings.get("number")
    if reading is None or not reading.is_whole or _is_identifier(column, table):
        return False
    repeats = reading.num_distinct * _MANY_OF_EACH <= table.num_rows - reading.num_missing
    return repeats and reading.num_distinct > 2 and bool(_words(column.name) & (_CATEGORY_WORDS | _IDENTIFIER_WORDS))


def _number_as_category(column: ColumnFacts) -> Doubt:
    return Doubt(
        "/data/types",
        "number_may_be_category",
        f"{column.name!r} holds {column.num_distinct:,} whole numbers and is read as an amount; its name says that "
        "they are codes.",
        f"If so, say types: {{{column.name!r}: 'category'}}. If rows of equal {column.name!r} belong together, as a "
        "patient's do, name it as group_column.",
        _typed(column.name, "category"),
    )


def _words(name: str) -> frozenset[str]:
    """`zipCode`, `ZIP_CODE` and `zip code` are zip and code."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return frozenset(re.findall(r"[^\W\d_]+", parted.casefold()))


def _dates(columns: Sequence[ColumnFacts], spec: _Spec) -> Iterator[Doubt]:
    """Dated rows that are split at random."""
    if spec.data.split_column is not None:
        return
    dated = [c for c in columns if c.num_distinct >= _FEWEST_DATES and not _words(c.name) & _BIRTH_WORDS]
    if dated:
        lead = max(dated, key=lambda column: column.num_distinct)
        yield Doubt(
            "/data/split_column",
            "rows_are_dated",
            f"Rows are dated by {lead.name!r}{_span(lead)}, and the test rows are drawn from all times.",
            "If the network is to predict what comes later, test it on the latest rows: add a column that says train, "
            "validation or test, and name it as split_column.",
        )


def _span(column: ColumnFacts) -> str:
    reading = column.readings.get("date")
    if reading is None or reading.minimum is None or reading.maximum is None:
        return ""
    try:
        first, last = (datetime.fromtimestamp(at, UTC).date() for at in (reading.minimum, reading.maximum))
    except (OverflowError, ValueError, OSError):  # beyond the years that datetime knows
        return ""
    return f" ({first} to {last})"


def _text(column: ColumnFacts, *, num_rows: int) -> Doubt:
    present = num_rows - column.num_missing
    looks = ", as an identifier has," if column.num_distinct == present else ""
    return Doubt(
        "/data/types",
        "text_left_out",
        f"{column.name!r} is text with {column.num_distinct:,} different values in {present:,} rows{looks} and is "
        "left out.",
        f"If it is a category nevertheless, say types: {{{column.name!r}: 'category'}}; if it is not needed, exclude "
        "it.",
    )


def _fewer_rows(table: TableFacts, width: int) -> Iterator[Doubt]:
    if table.num_rows < width:
        yield Doubt(
            "/data",
            "fewer_rows_than_features",
            f"{table.num_rows:,} rows have {width:,} features each: without regularization a network fits any target.",
            "Leave columns out, lower features.max_categories, or regularize strongly (l1, l2, elastic_net).",
        )
