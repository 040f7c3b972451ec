"""A disk that a test can fill: a small disk in memory if this user may mount one, else a limit on a database."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[bool]:
    """Create a folder and mount a small disk there; yields whether that was allowed."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(folder)]
    try:
        is_real = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        is_real = False
    try:
        yield is_real
    finally:
        if is_real:
            # A lazy unmount, because a connection may still have files open.
            subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


class FullDisk:
    """Fills a disk and frees it again.

    Args:
        folder: A folder on the disk.
        engine: The engine of the SQLite database in that folder.
        is_real: Whether the small disk was mounted. If not, SQLite limits the size of the database, with the same error
            as on a full disk.
    """

    def __init__(self, folder: Path, engine: Engine, *, is_real: bool) -> None:
        self._filler = folder / "filler"
        self._engine = engine
        self._is_real = is_real
        self._is_full = False
        if not is_real:
            event.listen(engine, "begin", self._limit)

    def fill(self) -> None:
        """Fill the disk, so that no further page can be written."""
        self._is_full = True
        if not self._is_real:
            return
        handle = os.open(self._filler, os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(handle, b"x" * 4096)
        except OSError:
            os.close(handle)

    def free(self) -> None:
        """Free the room again."""
        self._is_full = False
        self._filler.unlink(missing_ok=True)

    def _limit(self, connection: Any) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() if self._is_full else 2**30
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
