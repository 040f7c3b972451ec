"""This node's copies of tables: each fetched once for all jobs that need it, and the longest unused dropped for others.

Several workers may share the folder. A copy in use is locked by the worker that uses it, so the kernel frees it
however that worker ends.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactDamagedError
from jobs.incoming import PREFIX, Incoming
from jobs.logs import get_logger
from jobs.model import ArtifactRow

_CHUNK_BYTES = 4 << 20
_MAX_TRIES = 6
"""A copy may be damaged, and the next one be dropped before it is locked; but not every time."""
_log = get_logger(__name__)


class TableCache:
    """A folder of tables, named by their SHA-256.

    Args:
        folder: Where they lie.
        artifacts: Where they come from.
        max_bytes: What the copies may take together; more only while more is in use.
    """

    def __init__(self, folder: Path, artifacts: ArtifactStore, max_bytes: int) -> None:
        self._folder = folder
        self._artifacts = artifacts
        self._max_bytes = max_bytes
        self._rows = folder.with_name("rows")
        self._known_whole: set[tuple[int, int, int]] = set()

    @contextlib.contextmanager
    def holding(self, table: ArtifactRow, keep_alive: Callable[[], None]) -> Iterator[Path]:
        """Have a copy of a table, whose content was checked, for as long as the context lasts.

        Args:
            table: Which.
            keep_alive: Called every now and then while a large file is read.

        Raises:
            ArtifactDamagedError: The stored file is lost, or holds other bytes.
        """
        with self._open(table, keep_alive):
            yield self._folder / table.sha256

    def keep_only(self, referenced: Callable[[Sequence[str]], set[str]]) -> None:
        """Drop the copies of tables that were deleted, unless they are still in use.

        Args:
            referenced: Returns which of some hashes are still needed: `Store.referenced`.
        """
        found = [path for path, _ in _stats(self._folder) if not path.name.startswith(PREFIX)]
        # What runners have written of a table goes with it; a run that reads it has its files open.
        rows = {path: path.name.partition("-")[0] for path in (self._rows.iterdir() if self._rows.is_dir() else ())}
        needed = referenced([*(path.name for path in found), *rows.values()])
        for path in found:
            if path.name not in needed:
                _drop(path)
        for path, sha256 in rows.items():
            if sha256 not in needed:
                shutil.rmtree(path, ignore_errors=True)

    def _open(self, table: ArtifactRow, keep_alive: Callable[[], None]) -> BinaryIO:
        """Open and lock the copy, fetched first if there is none that is whole."""
        path = self._folder / table.sha256
        for _ in range(_MAX_TRIES):
            if (file := _open_locked(path)) is None:
                self._fetch(table, keep_alive)
                continue
            if self._is_whole(file, table.sha256, keep_alive):
                # The order in which copies are dropped; when they were written stays.
                os.utime(path, ns=(time.time_ns(), os.fstat(file.fileno()).st_mtime_ns))
                return file
            _log.warning("a copy of a table is damaged; it is fetched again", sha256=table.sha256)
            path.unlink(missing_ok=True)
            file.close()
        raise ArtifactDamagedError(table.name, "its copy on this node is damaged or dropped again and again")

    def _is_whole(self, file: BinaryIO, sha256: str, keep_alive: Callable[[], None]) -> bool:
        """Whether a copy holds what its name says; it is read once, unless it was written since."""
        stat = os.fstat(file.fileno())
        version = stat.st_ino, stat.st_size, stat.st_mtime_ns
        if version not in self._known_whole:
            if _sha256(file, keep_alive) != sha256:
                return False
            self._known_whole.add(version)
        return True

    def _fetch(self, table: ArtifactRow, keep_alive: Callable[[], None]) -> None:
        source = self._artifacts.find(table)
        self._make_room(table.size_bytes)
        with Incoming(self._folder) as copy, source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                copy.write(chunk)
                keep_alive()
            if copy.sha256 != table.sha256:
                raise ArtifactDamagedError(table.name, "its file holds other bytes")
            copy.keep(lambda sha256: self._folder / sha256)

    def _make_room(self, size_bytes: int) -> None:
        """Drop copies that nobody uses, the longest unused first, until another one has room."""
        found = sorted(_stats(self._folder), key=lambda entry: entry[1].st_atime)
        total_bytes = sum(stat.st_size for _, stat in found) + size_bytes
        for path, stat in found:
            if total_bytes > self._max_bytes and _drop(path):
                total_bytes -= stat.st_size
        if total_bytes > self._max_bytes:
            _log.info("the tables in use take more than their limit", bytes=total_bytes, max_bytes=self._max_bytes)


def _open_locked(path: Path) -> BinaryIO | None:
    """Open a copy so that nobody drops it; None if there is none, or if it was dropped meanwhile."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with contextlib.suppress(OSError):  # a file system without locks: nothing is ever dropped there
        fcntl.flock(file, fcntl.LOCK_SH)
    if os.fstat(file.fileno()).st_nlink:
        return file
    file.close()
    return None


def _drop(path: Path) -> bool:
    """Delete a copy unless it is in use, or whether it is cannot be told."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _stats(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):  # another worker dropped it
            yield path, path.stat()


def _sha256(file: BinaryIO, keep_alive: Callable[[], None]) -> str:
    """The hash of a file that is read to its end."""
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        keep_alive()
    return digest.hexdigest()
