"""What a set of files may hold: one that claims or holds more is refused before it fills memory or disk."""

from dataclasses import dataclass

from regcore.errors import InvalidDataError


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The most that is read of one set of files.

    Attributes:
        max_files: Files, those of systems included.
        max_file_bytes: Bytes of one of them.
        max_total_bytes: Bytes of all of them, unpacked.
        max_ratio: Unpacked bytes of a file for each packed one, from `MIN_BOMB_BYTES` on. Images and sounds hardly
            shrink; a file that was made to fill a memory shrinks to a thousandth.
    """

    max_files: int = 200_000
    max_file_bytes: int = 100_000_000
    max_total_bytes: int = 20_000_000_000
    max_ratio: int = 200


MIN_BOMB_BYTES = 1_000_000
"""Below this size of a file its ratio is nobody's concern."""


def too_many(number: str, limits: FileLimits) -> InvalidDataError:
    """The error that there are too many files."""
    return InvalidDataError(
        f"It holds {number} files, and may hold {limits.max_files:,}.",
        remedy="Take a sample of them, or pack rows into one NPZ or Parquet file.",
        details={"max_files": limits.max_files},
    )
