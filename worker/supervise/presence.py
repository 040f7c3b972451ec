"""Which workers of this machine are certainly dead, so that their leases need not run out.

Each worker holds a lock on a file in the data directory, ``workers/{id}.lock``, and its runners inherit it: the kernel
releases it when the last of these processes has ended, in whatever way. If another process can take the lock, no
process of that worker is left. A worker that is stopped, or cut off from the database, still holds its lock.
"""

import contextlib
import fcntl
import os
from collections.abc import Collection
from pathlib import Path

_BOOT_ID_PATH = Path("/proc/sys/kernel/random/boot_id")


class Presence:
    """One worker's lock, and checks of those of other workers.

    Args:
        data_dir: The data directory. Machines may share it; a lock means nothing to another machine, or after a
            restart of this one, so each file names the kernel under which it was locked.
        worker_id: The worker that holds the lock.
    """

    def __init__(self, data_dir: Path, worker_id: str) -> None:
        self._folder = data_dir / "workers"
        self._path = self._folder / f"{worker_id}.lock"
        self._kernel = _kernel()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The file is locked before it gets its name; otherwise others could take this worker for dead.
        self._unlocked = self._path.with_suffix(".new")
        self.descriptor = os.open(self._unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        """The descriptor that every process that trains for this worker inherits."""
        os.write(self.descriptor, self._kernel.encode())
        with contextlib.suppress(OSError):  # on a file system without locks, jobs wait until the leases run out
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            self._unlocked.rename(self._path)

    def dead(self) -> list[str]:
        """Return the ids of workers that have no process left, until `forget` is called for them."""
        return sorted(path.stem for path in self._folder.glob("*.lock") if path != self._path and self._is_dead(path))

    def forget(self, worker_id: str) -> None:
        """Remove a dead worker's file."""
        (self._folder / f"{worker_id}.lock").unlink(missing_ok=True)

    def keep_only(self, worker_ids: Collection[str]) -> None:
        """Delete the files of all other workers, also those of another kernel, which `dead` ignores."""
        for path in self._folder.iterdir():
            if path.stem not in worker_ids and path.stem != self._path.stem:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Note that this worker has ended: delete its file, and with it the lock."""
        self._path.unlink(missing_ok=True)
        self._unlocked.unlink(missing_ok=True)
        os.close(self.descriptor)

    def _is_dead(self, path: Path) -> bool:
        try:
            with path.open("rb+") as file:
                if not self._kernel or file.read(100).decode("ascii", errors="replace").strip() != self._kernel:
                    return False
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
        except OSError:  # locked, or deleted by another worker
            return False


def _kernel() -> str:
    """Return the unique id of this boot of the kernel; if it is unknown, "", and no worker counts as dead."""
    try:
        return _BOOT_ID_PATH.read_text("ascii").strip()
    except OSError:
        return ""
