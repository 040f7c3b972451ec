"""The facts of a table: settled by all of its cells, never by the first ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.tables.attempts import Attempt, Distinct
from regcore.data.tables.column_types import ColumnDraft, draft_column
from regcore.data.tables.facts import (
    MAX_EXAMPLES,
    MAX_VALUES,
    Cell,
    ColumnFacts,
    ColumnType,
    Format,
    Reading,
    TableFacts,
    TableWarning,
)
from regcore.data.tables.numbers import COMMA, POINT, Convention, parse_numbers
from regcore.data.tables.read_column import gaps, is_text, read_column, spelled
from regcore.data.texts.find import find_texts, without_left_out
from regcore.data.texts.modality import modality_of
from regcore.errors import shortened

FindLines = Callable[[Sequence[int]], Sequence[int | None]]
"""The lines of the file on which these rows begin, as far as they can be told; rows, ascending, and lines from 1."""

_MAX_CELL_CHARACTERS: Final = 100
_MAX_VALUES_OF_TABLE: Final = 300_000
_FEWEST_VALUES: Final = 100
_MAX_VALUES_CHARACTERS: Final = 100_000
_SPLITS: Final = frozenset({"train", "validation", "test"})


def find_facts(
    columns: pa.Table,
    *,
    format: Format,
    encoding: str | None = None,
    delimiter: str | None = None,
    default_target: str | None = None,
    given_names: Mapping[str, str] | None = None,
    warnings: Sequence[TableWarning] = (),
    find_lines: FindLines | None = None,
) -> TableFacts:
    """Find the type of every column and all that a plan needs to know of it.

    Args:
        columns: The whole table; see `Table.columns`.
        format: Where it is from.
        encoding: Of a text file.
        delimiter: Of a CSV file.
        default_target: The target if none is named.
        given_names: For each column that was renamed, its name in the file.
        warnings: What the reader found.
        find_lines: Where rows stand in the file, if they have lines.
    """
    most_values = min(MAX_VALUES, max(_FEWEST_VALUES, _MAX_VALUES_OF_TABLE // max(columns.num_columns, 1)))
    found = {name: _find(columns[name], most_values) for name in columns.column_names}
    doubted = _settle_decimal_signs(found, columns, delimiter, most_values)
    cells = _unreadable_cells(found, columns, find_lines)
    splits = [name for name, column in found.items() if column.values and column.values.keys() <= _SPLITS]
    facts = [
        ColumnFacts(
            name=name,
            given_name=(given_names or {}).get(name),
            type=column.type,
            why=column.draft.found.why,
            readings={type: _with_cells(made, cells[name, type]) for type, made in column.draft.attempts.items()},
            values=column.values,
            examples=column.examples,
            present_by_split=_present_by_split(column.draft, columns[name], columns, splits),
        )
        for name, column in found.items()
    ]
    said = [warning for one in facts for warning in _warnings_of(one, found[one.name].draft)]
    facts = [_with_text(one, columns) for one in facts]
    modality = modality_of(facts, default_target, columns.num_rows)
    return TableFacts(
        format=format,
        modality=modality,
        num_rows=columns.num_rows,
        columns=facts,
        warnings=[*warnings, *doubted, *(without_left_out(said, facts) if modality == "text" else said)],
        encoding=encoding,
        delimiter=delimiter,
        default_target=default_target,
    )


def _with_text(column: ColumnFacts, columns: pa.Table) -> ColumnFacts:
    return column.model_copy(update={"text": find_texts(columns[column.name], column, columns.num_columns)})


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """A column's draft, and of its distinct cells what is kept."""

    draft: ColumnDraft
    values: dict[str, int] | None
    examples: list[str]

    @property
    def type(self) -> ColumnType:
        return self.draft.found.type


def _find(cells: Any, most_values: int, convention: Convention | None = None) -> _Found:
    distinct = Distinct.of(cells)
    draft = draft_column(distinct, convention)
    is_value = pc.invert(gaps(distinct.cells, draft.found.type))
    cells = distinct.cells.filter(is_value)
    examples = [shortened(text, _MAX_CELL_CHARACTERS) for text in spelled(cells[:MAX_EXAMPLES]).to_pylist()]
    if len(cells) > most_values:
        return _Found(draft, None, examples)
    texts = spelled(cells)
    if (pc.sum(pc.utf8_length(texts)).as_py() or 0) > _MAX_VALUES_CHARACTERS:
        return _Found(draft, None, examples)
    counts = distinct.counts[is_value.to_numpy(zero_copy_only=False)]
    return _Found(draft, _sorted(texts, counts.tolist(), draft.attempts.get("number")), examples)


def _sorted(texts: Any, counts: Sequence[int], number: Attempt | None) -> dict[str, int]:
    """Numbers by their value, if all are; else by their spelling."""
    written = Convention(number.reading.decimal, number.reading.thousands) if number else POINT
    numbers = parse_numbers(texts, written).to_pylist()
    known = list(zip(numbers, texts.to_pylist(), counts, strict=True))
    if None in numbers:
        known.sort(key=lambda cell: cell[1])
    else:
        known.sort()
    return {text: count for _, text, count in known}


def _settle_decimal_signs(
    found: dict[str, _Found], columns: pa.Table, delimiter: str | None, most_values: int
) -> list[TableWarning]:
    """Read `1,234` and its like as the file's other numbers are written, and say so where nothing tells."""
    shown = {
        column.draft.choice.best.decimal
        for column in found.values()
        if column.type == "number" and (choice := column.draft.choice) and choice.shows_decimals and not choice.other
    }
    warnings = []
    for name, column in found.items():
        choice = column.draft.choice
        if column.type != "number" or choice is None or choice.other is None:
            continue
        if len(shown) == 1:
            settled = choice.best if choice.best.decimal in shown else choice.other
        else:
            settled = choice.other if choice.best == COMMA and delimiter != ";" else choice.best
            if choice.best == COMMA:
                warnings.append(_ambiguous_numbers(name, column.examples, settled))
        if settled != choice.best:
            found[name] = _find(columns[name], most_values, settled)
    return warnings


def _ambiguous_numbers(name: str, examples: Sequence[str], settled: Convention) -> TableWarning:
    example = next((text for text in examples if "," in text), examples[0])
    value = parse_numbers(pa.array([example]), settled)[0].as_py()
    return TableWarning(
        code="ambiguous_numbers",
        message=f"Column {name!r} has numbers such as {example!r}, which is read as {value:.15g}: the comma may "
        "separate thousands or decimals.",
        remedy="Write the numbers without thousands separators and with a decimal point if this is wrong.",
        column=name,
    )


def _unreadable_cells(
    found: Mapping[str, _Found], columns: pa.Table, find_lines: FindLines | None
) -> dict[tuple[str, ColumnType], list[Cell]]:
    """The first cells of each column that cannot be read, by column and type."""
    places: dict[tuple[str, ColumnType], list[tuple[int, str]]] = {
        (name, type): _first_places(columns[name], made.unreadable)
        for name, column in found.items()
        for type, made in column.draft.attempts.items()
    }
    rows = sorted({row for cells in places.values() for row, _ in cells})
    lines = dict(zip(rows, find_lines(rows), strict=True)) if find_lines and rows else {}
    return {
        place: [Cell(row=row, line=lines.get(row), text=shortened(text, _MAX_CELL_CHARACTERS)) for row, text in cells]
        for place, cells in places.items()
    }


def _first_places(cells: Any, unreadable: Any) -> list[tuple[int, str]]:
    """Rows and spellings of the first cells that are one of these."""
    if not len(unreadable):
        return []
    cells = spelled(cells) if is_text(cells.type) else cells
    rows = pc.indices_nonzero(pc.is_in(cells, value_set=unreadable))[:MAX_EXAMPLES]
    texts = spelled(cells.take(rows)).to_pylist()
    return [(row + 1, text) for row, text in zip(rows.to_pylist(), texts, strict=True)]


def _with_cells(made: Attempt, cells: Sequence[Cell]) -> Reading:
    return made.reading.model_copy(update={"unreadable": list(cells)})


def _present_by_split(
    draft: ColumnDraft, cells: Any, columns: pa.Table, splits: Sequence[str]
) -> dict[str, dict[str, int]]:
    if not splits:
        return {}
    type = draft.found.type
    is_present = pc.invert(gaps(cells, "number"))
    if type in ("number", "boolean", "date"):
        is_present = pc.is_valid(read_column(cells, type, draft.attempts[type].reading))
    present: dict[str, dict[str, int]] = {}
    for split in splits:
        counted = pc.value_counts(spelled(columns[split]).filter(is_present)).to_pylist()
        present[split] = {one["values"]: one["counts"] for one in counted if one["values"]}
    return present


def _warnings_of(facts: ColumnFacts, draft: ColumnDraft) -> list[TableWarning]:
    doubt = draft.found.doubt
    warnings = []
    if doubt is not None:
        warnings.append(
            TableWarning(
                code=doubt.code,
                message=f"Column {facts.name!r} {doubt.message}.",
                remedy=doubt.remedy,
                column=facts.name,
            )
        )
    for type in ("number", "date"):
        reading = facts.readings.get(type)
        if facts.type in ("category", "text") and reading is not None and reading.num_unreadable:
            warnings.append(_mixed(facts, type, reading))
    return warnings


def _mixed(facts: ColumnFacts, type: ColumnType, reading: Reading) -> TableWarning:
    named = ", ".join(f"{cell.text!r} in row {cell.row:,}" for cell in reading.unreadable)
    left_out = " and left out of the features" if facts.type == "text" else ""
    more = ", ..." if reading.num_unreadable > len(reading.unreadable) else ""
    return TableWarning(
        code="mixed_column",
        message=f"Column {facts.name!r} is read as {facts.type}{left_out}, because not every cell is a {type} as most "
        f"are: {named}{more} ({reading.num_unreadable:,} in all).",
        remedy=f"Correct them, or ask for type {type}, by which they are gaps.",
        column=facts.name,
    )
