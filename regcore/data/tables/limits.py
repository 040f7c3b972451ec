"""What a file of rows may hold: a file that claims or holds more is refused before it fills the memory."""

from dataclasses import dataclass

from regcore.errors import InvalidDataError


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is read of one file.

    Attributes:
        max_rows: Rows.
        max_columns: Columns.
        max_cells: Rows times columns.
        max_cell_bytes: Bytes of one cell.
        max_row_bytes: Bytes of one line of JSON.
        max_unpacked_bytes: Bytes of the file when it is unpacked, and of the table that it becomes.
        max_ratio: Unpacked bytes for each packed one, in a file of more than `MIN_BOMB_BYTES`. Rows of real tables
            shrink to a twentieth or a fiftieth; a file made to fill a disk, to a thousandth.
        max_footer_bytes: Bytes of the part of a Parquet file that describes the others.
        max_duckdb_bytes: Memory of the library that reads CSV; the table that it hands over is not counted.
    """

    max_rows: int = 100_000_000
    max_columns: int = 16_384
    max_cells: int = 2_000_000_000
    max_cell_bytes: int = 1_000_000
    max_row_bytes: int = 16_000_000
    max_unpacked_bytes: int = 20_000_000_000
    max_ratio: int = 200
    max_footer_bytes: int = 64_000_000
    max_duckdb_bytes: int = 1_000_000_000


MIN_BOMB_BYTES = 100_000_000
"""Below this size of what is unpacked, its ratio is nobody's concern."""


def check_size(num_rows: int, num_columns: int, limits: Limits) -> None:
    """Refuse a table that is larger than the limits, or empty.

    Raises:
        InvalidDataError: It is.
    """
    if num_columns == 0:
        raise InvalidDataError("It has no columns.", remedy="Give it a column for each feature.")
    if num_columns > limits.max_columns:
        raise InvalidDataError(
            f"It has {num_columns:,} columns, and may have {limits.max_columns:,}.",
            remedy="Leave out columns that are not needed.",
            details={"num_columns": num_columns, "max_columns": limits.max_columns},
        )
    if num_rows == 0:
        raise InvalidDataError("It has no rows.", remedy="Give it a row for each example.")
    if num_rows > limits.max_rows:
        raise InvalidDataError(
            f"It has {num_rows:,} rows, and may have {limits.max_rows:,}.",
            remedy="Take a sample of the rows.",
            details={"num_rows": num_rows, "max_rows": limits.max_rows},
        )
    if num_rows * num_columns > limits.max_cells:
        raise InvalidDataError(
            f"It has {num_rows:,} rows of {num_columns:,} columns, and may have {limits.max_cells:,} cells.",
            remedy="Take a sample of the rows, or leave out columns that are not needed.",
            details={"num_rows": num_rows, "num_columns": num_columns, "max_cells": limits.max_cells},
        )


def check_unpacked(what: str, num_packed_bytes: int, num_unpacked_bytes: int, limits: Limits) -> None:
    """Refuse what unpacks to more than the limits.

    Raises:
        InvalidDataError: It does.
    """
    details = {"packed_bytes": num_packed_bytes, "unpacked_bytes": num_unpacked_bytes}
    if num_unpacked_bytes > limits.max_unpacked_bytes:
        raise InvalidDataError(
            f"{what} unpacks to more than {limits.max_unpacked_bytes:,} bytes.",
            remedy="Take a sample of the rows, or leave out columns that are not needed.",
            details=details | {"max_unpacked_bytes": limits.max_unpacked_bytes},
        )
    if num_unpacked_bytes > max(MIN_BOMB_BYTES, limits.max_ratio * num_packed_bytes):
        raise InvalidDataError(
            f"{what} unpacks to more than {limits.max_ratio} times its size, which real tables do not: "
            f"{num_packed_bytes:,} bytes become {num_unpacked_bytes:,} or more.",
            remedy="If they are real rows, send the file without compression.",
            details=details | {"max_ratio": limits.max_ratio},
        )
