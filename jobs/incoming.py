"""A file on its way into a folder: nobody sees it before it is complete, and a killed process leaves nothing of it."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

PREFIX = ".incoming-"
"""Of the name that a file has for a moment, or on some file systems as long as it is written."""

_CANNOT_BE_NAMELESS = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL}


class Incoming:
    """A file that is being written, hashed on the way. As a context manager it is dropped unless it is kept.

    On most file systems it has no name until it is kept, so that it goes with the process that writes it. Where that
    cannot be, as on NFS, a file named ``.incoming-…`` is left by a process that is killed.

    Args:
        folder: Where it will lie; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._name: Path | None = None
        self._descriptor = self._open()
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    @property
    def sha256(self) -> str:
        """The hash of what was written so far."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises:
            OSError: The disk is full, or fails.
        """
        self._digest.update(chunk)
        self.size_bytes += len(chunk)
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def keep(self, place: Callable[[str], Path]) -> Path:
        """Force the file to disk and give it its name; a file of that name is replaced.

        Args:
            place: Gives the path for a hash, on the same file system.
        """
        os.fsync(self._descriptor)
        destination = place(self.sha256)
        destination.parent.mkdir(exist_ok=True, mode=0o700)
        os.replace(self._named(), destination)
        self._name = None
        sync_folder(destination.parent)
        return destination

    def drop(self) -> None:
        """Close it; unless it was kept, nothing is left."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._name is not None:
            self._name.unlink(missing_ok=True)
            self._name = None

    def _open(self) -> int:
        try:
            return os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in _CANNOT_BE_NAMELESS:
                raise
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=PREFIX)
        self._name = Path(name)
        return descriptor

    def _named(self) -> Path:
        """Its name in the folder; a file cannot replace another one while it has none."""
        if self._name is None:
            name = self._folder / f"{PREFIX}{os.urandom(12).hex()}"
            # linkat(2) with AT_SYMLINK_FOLLOW, as open(2) advises; Python follows only where a directory is given.
            os.link(f"/proc/self/fd/{self._descriptor}", name, src_dir_fd=self._descriptor, follow_symlinks=True)
            self._name = name
        return self._name


def sync_folder(folder: Path) -> None:
    """Force a folder's list of entries to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
