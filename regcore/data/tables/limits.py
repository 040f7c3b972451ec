"""What a file of rows may hold: a file that claims or holds more is refused before it fills the memory."""

from dataclasses import dataclass


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
    """

    max_rows: int = 100_000_000
    max_columns: int = 16_384
    max_cells: int = 2_000_000_000
    max_cell_bytes: int = 1_000_000
    max_row_bytes: int = 16_000_000
    max_unpacked_bytes: int = 20_000_000_000
    max_ratio: int = 200
    max_footer_bytes: int = 64_000_000


MIN_BOMB_BYTES = 100_000_000
"""Below this size of what is unpacked, its ratio is nobody's concern."""
