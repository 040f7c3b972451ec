"""Where the rows of a run lie: in memory, or in files. Their size decides, never what happens to be free."""

from typing import Any, Final, Literal

from regcore.shapes import RowInfo

Placement = Literal["memory", "disk"]

MAX_BYTES_IN_MEMORY: Final = 2 * 2**30
"""The most that the rows of a run take in memory, as the network gets them."""
_LARGEST_SHARE: Final = 0.5
"""Of a job's own limit of memory."""


def row_bytes(row: RowInfo, precision: str) -> int:
    """Of one row as the network gets it, without its target."""
    if row.tokens is not None:
        return 8 * row.num_values
    return (8 if precision == "float64" else 4) * row.num_values


def placement_of(row: RowInfo, num_rows: int, spec: Any) -> Placement:
    """Where the rows of a spec on own data lie.

    Args:
        row: One row.
        num_rows: Of all splits.
        spec: Says the precision, and the most memory that the job may take.
    """
    most_bytes: float = MAX_BYTES_IN_MEMORY
    limit = spec.resources.max_memory_bytes
    if limit is not None:
        most_bytes = min(most_bytes, _LARGEST_SHARE * limit)
    needed_bytes = num_rows * row_bytes(row, spec.training.precision)
    return "memory" if needed_bytes <= most_bytes else "disk"
