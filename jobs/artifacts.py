"""Artifact files, named by the SHA-256 of their content: equal ones are kept once, and no name escapes the folder."""

import hashlib
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from io import BufferedReader
from pathlib import Path

from jobs.errors import ArtifactDamagedError
from jobs.incoming import PREFIX, Incoming
from jobs.model import ArtifactRow

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20
_NUM_FILES_PER_QUESTION = 500

_MEDIA_TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".zip": "application/zip",
}
_PLAIN_BYTES = "application/octet-stream"
MEDIA_TYPES = tuple(sorted({known.partition(";")[0] for known in (*_MEDIA_TYPES.values(), _PLAIN_BYTES)}))
"""All that an artifact may have, without parameters."""


def media_type(name: str) -> str:
    """Return the media type for an artifact's name; plain bytes if the name does not tell."""
    return _MEDIA_TYPES.get(Path(name).suffix, _PLAIN_BYTES)


class ArtifactStore:
    """A folder of files named by their SHA-256, as ``ab/cdef…``. A file appears there only when it is complete."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, source: Path, keep_alive: Callable[[], None] | None = None) -> tuple[str, int]:
        """Copy a file in; return its hash and its size in bytes.

        An existing file is replaced by the same bytes and so becomes young again: `delete_unreferenced` spares it until
        its row is written.

        Args:
            source: The file.
            keep_alive: Called for each part of a large file: the caller's lease must not pass meanwhile.
        """
        with self.receive() as incoming, source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                incoming.write(chunk)
                if keep_alive is not None:
                    keep_alive()
            self.keep(incoming)
            return incoming.sha256, incoming.size_bytes

    def receive(self) -> Incoming:
        """Return a new file to write, which `keep` then keeps."""
        return Incoming(self._root)

    def keep(self, incoming: Incoming) -> None:
        """Keep a file of `receive` by its hash, as `put` does."""
        incoming.keep(self.path)

    def path(self, sha256: str) -> Path:
        """Return the path of the file of this hash, whether or not it exists.

        Raises:
            ValueError: This is not a hash.
        """
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"Expected a SHA-256 in lower-case hexadecimal. Received: {sha256!r}")
        return self._root / sha256[:2] / sha256[2:]

    def open(self, sha256: str) -> BufferedReader:
        """Open the file of this hash for reading.

        Raises:
            OSError: There is none, or it cannot be read.
        """
        return self.path(sha256).open("rb")

    def find(self, artifact: ArtifactRow) -> Path:
        """Return the file of an artifact, after a check that it exists and has its size.

        Raises:
            ArtifactDamagedError: It is not.
        """
        path = self.path(artifact.sha256)
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise ArtifactDamagedError(artifact.name, "where its file should be is something else")
            self.open(artifact.sha256).close()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ArtifactDamagedError(artifact.name, "its file is lost") from error
        except OSError as error:
            raise ArtifactDamagedError(artifact.name, f"its file cannot be read ({error.strerror})") from error
        if found.st_size != artifact.size_bytes:
            how = f"its file has {found.st_size:,} bytes instead of {artifact.size_bytes:,}"
            raise ArtifactDamagedError(artifact.name, how)
        return path

    def verify(self, artifact: ArtifactRow) -> Path:
        """Return the file of an artifact, after a check of its content against the hash.

        Raises:
            ArtifactDamagedError: It does not.
        """
        path = self.find(artifact)
        try:
            with self.open(artifact.sha256) as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ArtifactDamagedError(artifact.name, f"its file cannot be read ({error.strerror})") from error
        if sha256 != artifact.sha256:
            raise ArtifactDamagedError(artifact.name, "its file holds other bytes")
        return path

    def free_bytes(self) -> int:
        """Return how much room the file system has left."""
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        return shutil.disk_usage(self._root).free

    def delete_unreferenced(
        self,
        referenced: Callable[[Sequence[str]], set[str]],
        *,
        among: Iterable[str] | None = None,
        min_age_s: float = 600,
    ) -> list[str]:
        """Delete files that no job and no data set has.

        Args:
            referenced: Returns which of some hashes belong to a job or data set: `Store.referenced`.
            among: Look at these hashes only; at all files if None.
            min_age_s: Spare younger files, whose row may not be written yet.

        Returns:
            The hashes of the deleted files.
        """
        newest = time.time() - min_age_s
        hashes = self._hashes() if among is None else [one for one in among if self.path(one).is_file()]
        old = [sha256 for sha256 in hashes if _modified_at(self.path(sha256)) <= newest]
        deleted = []
        for start in range(0, len(old), _NUM_FILES_PER_QUESTION):
            some = old[start : start + _NUM_FILES_PER_QUESTION]
            deleted += sorted(set(some) - referenced(some))
        for sha256 in deleted:
            self.path(sha256).unlink(missing_ok=True)
        for leftover in self._root.glob(f"{PREFIX}*"):
            if _modified_at(leftover) <= newest:
                leftover.unlink(missing_ok=True)
        return deleted

    def _hashes(self) -> list[str]:
        found = (path.parent.name + path.name for path in self._root.glob("[0-9a-f][0-9a-f]/*"))
        return [sha256 for sha256 in found if _SHA256.fullmatch(sha256)]


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        # Another process deleted it first: count it as young, so that it is skipped.
        return float("inf")
