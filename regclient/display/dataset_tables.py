"""Users' own tables on a terminal: a list of them, what was read in one, and its first rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape

from regclient.display.job_tables import details_table, time_text
from regclient.display.output import format_number, styled_state
from regclient.display.spec_changes import NOTHING
from regclient.display.tables import Column, Details, FittedTable
from regclient.errors import explain_reason, place_of_reason

MAX_CELL_LENGTH = 40
MAX_EXAMPLES_LENGTH = 44
MAX_PREVIEW_COLUMNS = 40
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def datasets_table(datasets: Iterable[Mapping[str, Any]]) -> FittedTable:
    """Return a table with a row for each data set: id, name, state, rows, size, time of creation."""
    columns = ids, names, states, rows, sizes, created = (
        Column("id"),
        Column("name", need=2, folds=True, narrowest_fold=10),
        Column("state", need=1),
        Column("rows", need=3, is_number=True),
        Column("size", need=4, is_number=True),
        Column("created (UTC)", need=5),
    )
    for dataset in datasets:
        ids.cells.append(dataset["id"])
        names.cells.append(escape(dataset.get("name") or ""))
        states.cells.append(styled_state(dataset["state"]))
        rows.cells.append(format_number(dataset.get("num_rows")))
        sizes.cells.append(size_text(dataset.get("size_bytes")))
        created.cells.append(time_text(dataset.get("created_at")).removesuffix(" UTC"))
    return FittedTable(columns)


def dataset_table(dataset: Mapping[str, Any]) -> Details:
    """Return all of a data set but its columns: what it is, its state and the reason, warnings."""
    return details_table(_facts(dataset))


def columns_table(columns: Sequence[Mapping[str, Any]]) -> FittedTable:
    """Return a table with a row for each column of a data set: name, type, gaps, distinct values, examples, remarks."""
    remarks = [escape(_remark(column)) for column in columns]
    shown = [
        Column("column", [escape(str(column.get("name", ""))) for column in columns], folds=True),
        Column("type", [escape(str(column.get("type", NOTHING))) for column in columns]),
        Column("gaps", [_gaps(column) for column in columns], need=1, is_number=True),
        Column("distinct", [format_number(column.get("num_distinct")) for column in columns], need=3, is_number=True),
        Column("examples", [escape(_examples(column)) for column in columns], need=2, folds=True),
    ]
    if any(remarks):
        shown.append(Column("remark", remarks, need=4, folds=True))
    return FittedTable(shown)


def preview_table(preview: Mapping[str, Any]) -> FittedTable:
    """Return the first rows of a data set as a table; a gap is a dash."""
    names = [str(name) for name in preview.get("columns") or []]
    rows = preview.get("rows") or []
    left_out = len(names) - MAX_PREVIEW_COLUMNS
    columns = [
        Column(
            escape(_cut(name)),
            [escape(_cell(row[index])) for row in rows],
            need=index,
            is_number=all(_is_number(row[index]) for row in rows),
        )
        for index, name in enumerate(names[:MAX_PREVIEW_COLUMNS])
    ]
    caption = f"and {left_out:,} more columns, which --json has." if left_out > 0 else None
    return FittedTable(columns, caption=caption)


def size_text(size_bytes: Any) -> str:
    """Return a size for people, in units of 1,000."""
    if not isinstance(size_bytes, int):
        return NOTHING
    size, unit = float(size_bytes), _UNITS[0]
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:,.0f} {unit}" if unit == _UNITS[0] else f"{size:.3g} {unit}"


def _facts(dataset: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    yield "id", dataset["id"]
    yield "name", escape(dataset.get("name") or NOTHING)
    yield "state", styled_state(dataset["state"])
    reason = dataset.get("state_reason")
    if reason:
        yield "reason", escape(explain_reason(reason) + place_of_reason(reason))
    if dataset.get("num_rows") is not None:
        yield "rows", format_number(dataset["num_rows"])
    if dataset.get("columns"):
        yield "columns", format_number(len(dataset["columns"]))
    yield "size", size_text(dataset.get("size_bytes"))
    for field in ("modality", "format", "encoding", "delimiter"):
        if dataset.get(field):
            yield field, escape(repr(dataset[field]) if field == "delimiter" else str(dataset[field]))
    yield "sha256", escape(str(dataset.get("sha256", NOTHING)))
    yield "created", time_text(dataset.get("created_at"))
    for warning in dataset.get("warnings") or []:
        said = f"{warning.get('message', '')} {warning.get('remedy') or ''}".strip()
        yield "[yellow]warning[/]", escape(said)


def _gaps(column: Mapping[str, Any]) -> str:
    num_missing = column.get("num_missing")
    return "" if num_missing == 0 else format_number(num_missing)


def _examples(column: Mapping[str, Any]) -> str:
    """The first examples, as many as a cell has room for."""
    first, *others = [_cut(str(example)) for example in column.get("examples") or [""]]
    for example in others:
        longer = f"{first} | {example}"  # no commas: a cell may be 39,5
        if len(longer) > MAX_EXAMPLES_LENGTH:
            break
        first = longer
    return first


def _remark(column: Mapping[str, Any]) -> str:
    given_name = column.get("given_name")
    renamed = f"named {given_name!r} in the file" if given_name is not None else ""
    return "; ".join(part for part in (renamed, str(column.get("why") or "")) if part)


def _cell(value: Any) -> str:
    if value is None:
        return NOTHING
    return _cut(value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value))


def _cut(text: str) -> str:
    line = " ".join(text.split("\n"))
    return line if len(line) <= MAX_CELL_LENGTH else line[: MAX_CELL_LENGTH - 1] + "…"


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
