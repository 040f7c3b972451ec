"""Folders of rows that were written once, for all runs on the same rows of the same data."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from regcore.data.file_rows import MANIFEST
from regcore.errors import InvalidDataError

DIR_VARIABLE: Final = "REGCORE_ROWS_DIR"
_SPARE_BYTES: Final = 1 << 30
"""What is left free on the disk."""


def default_folder() -> Path:
    """Where rows lie if nobody says: `REGCORE_ROWS_DIR`, else the system's folder for temporary files."""
    said = os.environ.get(DIR_VARIABLE, "").strip()
    return Path(said) if said else Path(tempfile.gettempdir()) / f"regcore-rows-{os.getuid()}"


class RowsCache:
    """Folders by key. The longest unused go where the disk is full; whoever has their files open keeps them.

    Args:
        folder: Holds them; made where it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_or_make(self, key: str, needed_bytes: int, make: Callable[[Path], None]) -> Path:
        """The folder of this key, made if there is none.

        Args:
            key: A name for a file.
            needed_bytes: About what the folder takes.
            make: Fills an empty folder; the manifest is its last file.

        Raises:
            InvalidDataError: The disk has no room.
        """
        path = self._folder / key
        if (path / MANIFEST).is_file():
            os.utime(path)  # the order in which they go
            return path
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._make_room(needed_bytes)
        unfinished = Path(tempfile.mkdtemp(prefix=f"{key}.", suffix=".part", dir=self._folder))
        try:
            make(unfinished)
            with contextlib.suppress(OSError):  # another process was faster, with the same rows
                unfinished.rename(path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return path

    def _make_room(self, needed_bytes: int) -> None:
        """Drop what was unused for longest, until there is room."""
        found = sorted((one for one in self._folder.iterdir() if one.is_dir()), key=_used_at)
        for path in found:
            if self._free_bytes() >= needed_bytes + _SPARE_BYTES:
                return
            if path.suffix != ".part":
                shutil.rmtree(path, ignore_errors=True)
        free_bytes = self._free_bytes()
        if free_bytes < needed_bytes + _SPARE_BYTES:
            raise InvalidDataError(
                f"the rows take {needed_bytes / 2**30:,.1f} GiB on disk, and {free_bytes / 2**30:,.1f} GiB are free in "
                f"{self._folder}",
                remedy=f"Free space there, or name another folder in {DIR_VARIABLE}.",
                details={"needed_bytes": needed_bytes, "free_bytes": free_bytes},
            )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free


def _used_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process dropped it
        return 0.0
