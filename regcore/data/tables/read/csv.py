"""CSV files: DuckDB reads every cell as text, in the dialect found; types are found over whole columns."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.tables.facts import TableWarning
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.limits import Limits, check_size
from regcore.data.tables.names import final_names
from regcore.data.tables.numbers import CONVENTIONS
from regcore.data.tables.read.csv_rows import CsvRow, CsvRows
from regcore.data.tables.read.dialect import Dialect, find_dialect
from regcore.data.tables.read.encoding import as_utf8
from regcore.data.tables.read.text_cells import check_text
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError, shortened

_COLUMNS_TOGETHER: Final = 1_000
"""DuckDB reserves memory for blocks of all columns that it reads, however few the rows are."""
_ROWS_TOGETHER: Final = 1 << 16
_FEWEST_ROWS_TOGETHER: Final = 1 << 11
_CELLS_TOGETHER: Final = 1 << 22
_NUM_THREADS: Final = 2
_NUM_NAMED: Final = 5
_COPY_BYTES: Final = 1 << 20


def read_csv(
    path: Path,
    *,
    header: Literal["auto", "yes", "no"],
    limits: Limits,
    on_progress: Callable[[float], None],
) -> Table:
    """Read a CSV file that is not packed.

    Args:
        path: The file.
        header: Whether its first row names the columns.
        limits: The most that it may hold.
        on_progress: Told the share that was read, from 0 to 1.

    Raises:
        InvalidDataError: It is not text, has no header or no rows, or rows that are wrong.
    """
    with TemporaryDirectory(prefix="regcore-") as folder:
        text = as_utf8(path, Path(folder))
        layout = _layout(text.path, header, limits)
        columns = _read_cells(text.path, Path(folder), layout, limits, on_progress)
        check_size(columns.num_rows, columns.num_columns, limits)
        columns, layout = _without_empty_end(columns, layout)
        names, renamed = final_names(layout.given_names)
        table = columns.rename_columns(names)
        for name in names:
            check_text(name, table[name], limits)
        facts = find_facts(
            table,
            format="csv",
            encoding=text.encoding,
            delimiter=layout.rows.dialect.delimiter,
            given_names={new: old for new, old in zip(names, layout.given_names, strict=True) if new != old},
            warnings=[*text.warnings, *layout.warnings, *renamed],
            find_lines=layout.rows.lines_of,
        )
        return Table(table, facts)


@dataclass(frozen=True)
class _Layout:
    """Where the cells are, and what the columns are called.

    Attributes:
        rows: The rows.
        given_names: As they stand in the header.
        warnings: What was noticed.
    """

    rows: CsvRows
    given_names: list[str]
    warnings: list[TableWarning]


def _layout(path: Path, header: Literal["auto", "yes", "no"], limits: Limits) -> _Layout:
    dialect = find_dialect(path)
    if dialect is None:
        raise InvalidDataError("It is empty.", remedy="Give it a header and rows.")
    check_size(1, len(dialect.first_row), limits)
    warnings = _comments_said(dialect)
    if header == "no":
        names = [f"column_{place}" for place in range(1, len(dialect.first_row) + 1)]
        return _Layout(CsvRows(path, dialect, has_header=False), names, warnings)
    names = list(dialect.first_row)
    filled = [name for name in names if name.strip()]
    num_numbers = sum(map(_is_number, filled))
    if header == "auto" and filled and num_numbers == len(filled):
        raise InvalidDataError(
            f"It has no header: all cells of its first row are numbers, such as {shortened(filled[0], 40)!r}.",
            remedy="Say header=no if the first row is one of the rows, or header=yes if these are the columns' names.",
            details={"row": 1, "line": dialect.num_lines_before + 1},
        )
    if header == "auto" and num_numbers:
        warnings.append(_doubtful_header(num_numbers, len(names)))
    if len(names) == dialect.num_cells + 1 and not names[-1].strip():
        names.pop()
        warnings.append(_EMPTY_END)
    elif len(names) == dialect.num_cells - 1 and dialect.has_empty_end:
        warnings.append(_EMPTY_END)
    if len(names) == 1:
        warnings.append(_ONE_COLUMN)
    return _Layout(CsvRows(path, dialect, has_header=True), names, warnings)


def _is_number(text: str) -> bool:
    return any(re.match(convention.pattern, text.strip()) for convention in CONVENTIONS)


_EMPTY_END: Final = TableWarning(
    code="trailing_separator",
    message="Rows end in a separator; the empty column after it was left out.",
    remedy="Nothing needs to be done.",
)
_ONE_COLUMN: Final = TableWarning(
    code="one_column",
    message="The file has one column: no comma, semicolon, tab or | separates the cells of its header.",
    remedy="Separate cells by one of these if there should be more.",
)


def _doubtful_header(num_numbers: int, num_names: int) -> TableWarning:
    return TableWarning(
        code="doubtful_header",
        message=f"{num_numbers:,} of the {num_names:,} cells of the first row are numbers, and were taken as names.",
        remedy="Say header=no if the first row is one of the rows.",
    )


def _comments_said(dialect: Dialect) -> list[TableWarning]:
    if not dialect.num_comments:
        return []
    return [
        TableWarning(
            code="comments_skipped",
            message=f"Lines that begin with # were skipped before the header: {dialect.num_comments:,}.",
            remedy="Remove the sign if they are rows.",
        )
    ]


def _read_cells(
    path: Path, folder: Path, layout: _Layout, limits: Limits, on_progress: Callable[[float], None]
) -> pa.Table:
    try:
        return _read_by_duckdb(path, layout, limits, on_progress)
    except _UnreadableError as error:
        wrong = layout.rows.wrong_rows(len(layout.given_names), _NUM_NAMED)
        if wrong:
            raise _wrong_rows(wrong, layout) from None
        if (alike := _with_alike_line_ends(path, folder)) is None:
            raise _unreadable(error) from None
    try:
        return _read_by_duckdb(alike, layout, limits, on_progress)
    except _UnreadableError as error:
        raise _unreadable(error) from None


class _UnreadableError(Exception):
    """DuckDB read no table, or not all rows of it."""


def _read_by_duckdb(path: Path, layout: _Layout, limits: Limits, on_progress: Callable[[float], None]) -> pa.Table:
    names = [f"c{place}" for place in range(len(layout.given_names))]
    size_bytes, num_bytes, columns = max(1, path.stat().st_size), 0, []
    with _connection(path.resolve(), limits) as connection:
        for start in range(0, len(names), _COLUMNS_TOGETHER):
            wanted = names[start : start + _COLUMNS_TOGETHER]
            schema, num_rows, batches = pa.schema([(name, pa.string()) for name in wanted]), 0, []
            for batch in _batches(connection, path.resolve(), layout, limits, names, wanted):
                num_rows += batch.num_rows
                check_size(num_rows, len(names), limits)
                batches.append(_trimmed(batch.cast(schema)))
                num_bytes += batch.nbytes
                on_progress(min(1.0, num_bytes / size_bytes))
            columns += pa.Table.from_batches(batches, schema=schema).columns
    return pa.table(columns, names=names)


def _trimmed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A copy without spaces at the ends of cells: DuckDB's own buffers, larger than what they hold, are freed."""
    cells = [pc.utf8_trim_whitespace(pc.fill_null(column, "")) for column in batch.columns]
    return pa.RecordBatch.from_arrays(cells, schema=batch.schema)


def _batches(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    layout: _Layout,
    limits: Limits,
    names: list[str],
    wanted: list[str],
) -> Iterator[pa.RecordBatch]:
    """Some of the columns, block by block; what is wrong anywhere in a row is found whichever these are."""
    dialect = layout.rows.dialect
    try:
        relation = connection.sql(
            "SELECT * FROM read_csv($path, auto_detect=false, header=false, strict_mode=true, store_rejects=true, "
            "rejects_limit=$num_named, delim=$delimiter, quote=$quote, escape=$escape, comment='', skip=$skip, "
            "max_line_size=$row_bytes, buffer_size=$buffer_bytes, columns=$columns)",
            params={
                "path": str(path),
                "num_named": _NUM_NAMED,
                "delimiter": dialect.delimiter,
                "quote": dialect.quoting.quote,
                "escape": dialect.quoting.escape,
                "skip": dialect.num_lines_before + layout.rows.has_header,
                "row_bytes": limits.max_row_bytes,
                "buffer_bytes": 2 * limits.max_row_bytes,
                "columns": dict.fromkeys(names, "VARCHAR"),
            },
        )
        num_rows = min(_ROWS_TOGETHER, max(_FEWEST_ROWS_TOGETHER, _CELLS_TOGETHER // len(wanted)))
        yield from relation.select(*wanted).to_arrow_reader(num_rows)
        rejected = connection.execute("SELECT error_message, line FROM reject_errors LIMIT 1").fetchone()
    except duckdb.OutOfMemoryException as error:
        raise MemoryError(str(error)) from error
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        # Arrow's reader passes on DuckDB's words alone, not the kind of its error.
        if "Out of Memory Error" in str(error):
            raise MemoryError from error
        raise _UnreadableError(str(error)) from error
    if rejected:
        raise _UnreadableError(f"{rejected[0]} Line: {rejected[1]}")


def _connection(path: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """A database that reads this file alone, loads nothing, and spills nothing to disk."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": _NUM_THREADS,
            "memory_limit": f"{limits.max_duckdb_bytes}B",
            "temp_directory": "",
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
        },
    )
    connection.execute("SET allowed_paths = $paths", {"paths": [str(path)]})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _wrong_rows(wrong: list[CsvRow], layout: _Layout) -> InvalidDataError:
    expected = len(layout.given_names)
    said = ", ".join(map(_said, wrong))
    more = ", and perhaps others" if len(wrong) == _NUM_NAMED else ""
    source = "the header" if layout.rows.has_header else "the first row"
    details: dict[str, Any] = {"row": wrong[0].row, "line": wrong[0].line, "expected": expected}
    if wrong[0].cells is not None:
        details["found"] = len(wrong[0].cells)
    rows = [{"row": row.row, "line": row.line, "found": row.cells and len(row.cells)} for row in wrong]
    return InvalidDataError(
        f"{said[0].upper()}{said[1:]}{more}; {source} has {_cells(expected)}.",
        remedy="Put cells with separators in quotes, double the quotes within them, and write empty cells too.",
        details=details | {"rows": rows},
    )


def _said(row: CsvRow) -> str:
    place = f"row {row.row:,} (line {row.line:,})"
    if row.cells is None:
        return f"{place} has quotes that do not end where the cell ends"
    return f"{place} has {_cells(len(row.cells))}"


def _cells(number: int) -> str:
    return "1 cell" if number == 1 else f"{number:,} cells"


def _unreadable(error: _UnreadableError) -> InvalidDataError:
    message = re.split(r"\n|Possible fixes", str(error))[0].strip()
    return InvalidDataError(
        f"It cannot be read as CSV: {shortened(message, 300)}",
        remedy="Write it anew as CSV with commas, quotes around text and one kind of line ends.",
    )


def _with_alike_line_ends(path: Path, folder: Path) -> Path | None:
    r"""A copy whose lines all end in \n; None if the file has one kind of line ends already."""
    alike = folder / "alike"
    with path.open(encoding="utf-8", newline=None) as source, alike.open("x", encoding="utf-8", newline="") as target:
        while block := source.read(_COPY_BYTES):
            target.write(block)
        has_several_kinds = isinstance(source.newlines, tuple)
    return alike if has_several_kinds else None


def _without_empty_end(columns: pa.Table, layout: _Layout) -> tuple[pa.Table, _Layout]:
    """Without a last column that has neither a name nor cells: rows that end in a separator."""
    dialect, last = layout.rows.dialect, columns.column(columns.num_columns - 1)
    is_named = layout.rows.has_header and bool(layout.given_names[-1].strip())
    if is_named or not dialect.has_empty_end or columns.num_columns == 1:
        return columns, layout
    if pc.any(pc.not_equal(last, "")).as_py():
        return columns, layout
    kept = replace(layout, given_names=layout.given_names[:-1], warnings=[*layout.warnings, _EMPTY_END])
    return columns.select(columns.column_names[:-1]), kept
