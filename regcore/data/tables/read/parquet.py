"""Parquet files, read batch by batch once their footer is found to be possible."""

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from regcore.data.tables.facts import TableWarning
from regcore.data.tables.limits import Limits, check_size, check_unpacked
from regcore.data.tables.read.rows import ReadRows
from regcore.errors import InvalidDataError, shortened

MAGIC: Final = b"PAR1"
ENCRYPTED_MAGIC: Final = b"PARE"
_ROWS_TOGETHER: Final = 65_536
_MAX_NAME_CHARACTERS: Final = 80
_MAX_DEPTH: Final = 100
_OPTIONS: Final = {"coerce_int96_timestamp_unit": "us"}  # nanoseconds would overflow outside of 1677 to 2262
_INDEX: Final = re.compile(r"__index_level_\d+__")
"""What pandas calls an index without a name, where it writes one as a column."""
_AGAIN: Final = "Write it again, by pandas' to_parquet or by pyarrow.parquet.write_table, or send it as CSV."


def read_parquet(path: Path, limits: Limits, on_progress: Callable[[float], None]) -> ReadRows:
    """Read all columns, each as a plain type: dictionaries are looked up, times of day and durations are seconds.

    Raises:
        InvalidDataError: The file is damaged, encrypted, lies about its sizes, or has columns of lists, structures or
            bytes.
    """
    _check_ends(path, limits)
    try:
        # Without a limit, a list that claims to be long is made before it is read.
        with pq.ParquetFile(path, thrift_container_size_limit=_max_list(limits), schema_depth_limit=_MAX_DEPTH) as file:
            _check_footer(file, path.stat().st_size, limits)
            schema, metadata = file.schema_arrow, file.metadata
        _check_types(schema)
        # Text stays looked up until its size is known: a short file may repeat a long cell very often.
        texts = [field.name for field in schema if _is_text(field.type)]
        with pq.ParquetFile(
            path, metadata=metadata, read_dictionary=texts, page_checksum_verification=True, **_OPTIONS
        ) as file:
            return _read(file, limits, on_progress)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise _unreadable(str(error).strip(), limits) from None


def _unreadable(said: str, limits: Limits) -> InvalidDataError:
    if "Exceeded size limit" in said:
        return InvalidDataError(
            f"It is a Parquet file whose footer lists more than {_max_list(limits):,} columns or groups of rows; "
            f"a table may have {limits.max_columns:,} columns.",
            remedy="Leave out columns that are not needed, and write larger groups of rows.",
            details={"max_columns": limits.max_columns},
        )
    return InvalidDataError(
        f"It is a Parquet file that cannot be read: {shortened(said.rstrip('.'), 200)}.",
        remedy=f"It may have been cut off or damaged on its way: send it again. {_AGAIN}",
    )


def _max_list(limits: Limits) -> int:
    """The longest list in a footer: those of columns and of groups of rows."""
    return 4 * limits.max_columns


def _check_ends(path: Path, limits: Limits) -> None:
    """The last eight bytes: length of the footer, and the magic word."""
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(max(0, size_bytes - 8))
        length, end = struct.unpack("<I4s", stream.read(8).rjust(8, b"\0"))
    if ENCRYPTED_MAGIC in (start, end):
        raise InvalidDataError("It is an encrypted Parquet file.", remedy="Write it without encryption.")
    if end != MAGIC:
        raise InvalidDataError(
            "It begins as a Parquet file, and does not end as one.",
            remedy="It was cut off on its way: send it again.",
            details={"size_bytes": size_bytes},
        )
    if length > size_bytes - 12:
        raise InvalidDataError(
            f"It is a Parquet file of {size_bytes:,} bytes whose footer claims {length:,} bytes.", remedy=_AGAIN
        )
    if length > limits.max_footer_bytes:
        raise InvalidDataError(
            f"It is a Parquet file whose footer has {length:,} bytes, and may have {limits.max_footer_bytes:,}: "
            "it describes very many columns or groups of rows.",
            remedy="Leave out columns that are not needed, and write larger groups of rows.",
            details={"footer_bytes": length, "max_footer_bytes": limits.max_footer_bytes},
        )


def _check_footer(file: pq.ParquetFile, size_bytes: int, limits: Limits) -> None:
    """Refuse sizes that contradict each other or the size of the file."""
    footer = file.metadata
    if file.schema_arrow.names and footer.num_columns > limits.max_columns:
        check_size(1, footer.num_columns, limits)
    num_group_rows = 0
    for group in map(footer.row_group, range(footer.num_row_groups)):
        num_group_rows += group.num_rows
        packed_bytes = unpacked_bytes = 0
        for column in map(group.column, range(group.num_columns)):
            packed_bytes += column.total_compressed_size
            unpacked_bytes += column.total_uncompressed_size
            is_flat = "." not in column.path_in_schema
            if min(column.total_compressed_size, column.total_uncompressed_size, column.num_values) < 0 or (
                is_flat and column.num_values != group.num_rows
            ):
                raise _lying(f"{group.num_rows:,} rows and {column.num_values:,} values of one column")
        if packed_bytes > size_bytes:
            raise _lying(f"{packed_bytes:,} bytes of columns in a file of {size_bytes:,} bytes")
        check_unpacked("It", packed_bytes, unpacked_bytes, limits)
    if num_group_rows != footer.num_rows:
        raise _lying(f"{footer.num_rows:,} rows, and {num_group_rows:,} in its groups of rows")
    check_size(footer.num_rows, len(file.schema_arrow.names), limits)


def _lying(claims: str) -> InvalidDataError:
    return InvalidDataError(f"It is a Parquet file whose footer claims {claims}.", remedy=_AGAIN)


def _check_types(schema: pa.Schema) -> None:
    for field in schema:
        kind = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        name = repr(shortened(field.name, _MAX_NAME_CHARACTERS))
        if pa.types.is_nested(kind):
            raise InvalidDataError(
                f"Column {name} is nested: {shortened(str(kind), 80)}; a cell of a table is one value.",
                remedy="Give each of its values a column of its own, or leave the column out.",
                details={"column": field.name},
            )
        if pa.types.is_fixed_size_binary(kind) or pa.types.is_interval(kind):
            raise InvalidDataError(
                f"Column {name} is of type {kind}, which is not a number, text, boolean or date.",
                remedy="Write it as one of these, or leave it out.",
                details={"column": field.name},
            )


def _is_text(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
            pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view,
        )
    )  # fmt: skip


def _read(file: pq.ParquetFile, limits: Limits, on_progress: Callable[[float], None]) -> ReadRows:
    names = file.schema_arrow.names
    chunks: list[list[pa.Array]] = [[] for _ in names]
    num_rows = num_bytes = 0
    for batch in file.iter_batches(_ROWS_TOGETHER):
        for name, cells, column in zip(names, batch.columns, chunks, strict=True):
            num_bytes += _looked_up_bytes(cells)
            check_unpacked("It", num_bytes, num_bytes, limits)
            column.append(_plain(name, cells))
        num_rows += batch.num_rows
        on_progress(num_rows / file.metadata.num_rows)
    if num_rows != file.metadata.num_rows:
        raise _lying(f"{file.metadata.num_rows:,} rows, and which holds {num_rows:,}")
    kept = [place for place, name in enumerate(names) if not _INDEX.fullmatch(name)]
    return ReadRows(
        names=[names[place] for place in kept],
        columns=[pa.chunked_array(chunks[place]) for place in kept],
        warnings=_said_of_index(len(names) - len(kept)),
    )


def _said_of_index(num_left_out: int) -> list[TableWarning]:
    if not num_left_out:
        return []
    return [
        TableWarning(
            code="index_ignored",
            message="The index of the data frame, which pandas wrote as a column without a name, was left out.",
            remedy="Give it a name by DataFrame.reset_index if it is a feature.",
        )
    ]


def _looked_up_bytes(cells: pa.Array) -> int:
    """Bytes of the cells once each stands for itself."""
    if not pa.types.is_dictionary(cells.type) or not _is_text(cells.type.value_type):
        return int(cells.nbytes)
    lengths = pc.binary_length(cells.dictionary)
    return int(pc.sum(pc.take(lengths, cells.indices)).as_py() or 0)


def _plain(name: str, cells: pa.Array) -> pa.Array:
    """The cells as one of the types that columns are read from."""
    if isinstance(cells, pa.ExtensionArray):
        cells = cells.storage
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    kind = cells.type
    if _is_text(kind):
        try:
            return cells.cast(pa.string())
        except pa.ArrowInvalid:
            raise InvalidDataError(
                f"Column {shortened(name, _MAX_NAME_CHARACTERS)!r} holds bytes that are not UTF-8 text.",
                remedy="Write it as text, or leave it out.",
                details={"column": name},
            ) from None
    if pa.types.is_null(kind):
        return cells.cast(pa.string())
    if pa.types.is_float16(kind):
        return cells.cast(pa.float32())
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return cells.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).cast(pa.timestamp("us"))
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        return _seconds(cells)
    return cells


def _seconds(cells: pa.Array) -> pa.Array:
    unit = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[cells.type.unit]
    whole = cells.cast(pa.int32() if pa.types.is_time32(cells.type) else pa.int64())
    return pc.divide(whole.cast(pa.float64(), safe=False), unit)
