"""A run's directory: the log while it grows, and the files that become artifacts when it ends."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from regcore.record import metrics_csv

_MAX_LINE_CHARACTERS = 4_000
_MAX_LINES = 10_000
_READ_BYTES = 1 << 18


class LogFollower:
    """Reads the lines that were added to a file since the last call.

    Lines are cut at 4,000 characters, and after 10,000 lines the rest is left out: a job that prints in its inner loop
    must not fill the database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._partial = b""
        self._num_lines = 0

    def skip(self) -> None:
        """Skip what is in the file now."""
        self._offset = self.path.stat().st_size

    def new_lines(self, *, to_the_end: bool = False) -> list[str]:
        """Return complete lines; with `to_the_end`, also an unfinished last one."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(self._offset)
            # At most this much at a time, so that a flood of output does not delay other work.
            chunk = log.read(-1 if to_the_end else _READ_BYTES)
        self._offset += len(chunk)
        *complete, self._partial = (self._partial + chunk).split(b"\n")
        if to_the_end and self._partial:
            complete.append(self._partial)
            self._partial = b""
        return self._within_limit([_text(line) for line in complete])

    def tail(self, num_lines: int = 20) -> list[str]:
        """The last lines of the file."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as log:
            log.seek(max(0, self.path.stat().st_size - num_lines * _MAX_LINE_CHARACTERS))
            return [_text(line) for line in log.read().split(b"\n") if line][-num_lines:]

    def _within_limit(self, lines: list[str]) -> list[str]:
        room = _MAX_LINES - self._num_lines
        self._num_lines += len(lines)
        if len(lines) <= room:
            return lines
        notice = [f"The log is longer than {_MAX_LINES:,} lines; the rest is not shown here."]
        return lines[:room] + notice if room >= 0 else []


def run_ids(data_dir: Path) -> set[int]:
    """The runs that have a folder on this node."""
    runs = data_dir / "runs"
    return {int(folder.name) for folder in runs.iterdir() if folder.name.isdigit()} if runs.is_dir() else set()


def run_output(data_dir: Path, run_id: int) -> Path:
    """Where a pass of several jobs prints output that belongs to none of them alone."""
    return data_dir / "runs" / str(run_id) / "output.txt"


def run_inputs(data_dir: Path, run_id: int) -> Path:
    """Where a run has the models of other jobs that its jobs need, a folder each."""
    return data_dir / "runs" / str(run_id) / "inputs"


def remove_run(data_dir: Path, run_id: int) -> None:
    """Delete the folder of a run that has ended."""
    shutil.rmtree(data_dir / "runs" / str(run_id), ignore_errors=True)


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Make every library of this process put its temporary files there, and delete the folder at the end."""
    make_temporary(folder)
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = None
        shutil.rmtree(folder, ignore_errors=True)


def temporary_dir(data_dir: Path, worker_id: str) -> Path:
    """Where a worker and its runners put temporary files."""
    return data_dir / "tmp" / worker_id


def make_temporary(folder: Path) -> None:
    """Make a folder for temporary files if there is none."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)


def remove_temporary(data_dir: Path, living: Collection[str]) -> None:
    """Delete the temporary files of workers that were killed.

    Args:
        data_dir: The data directory.
        living: Ids of the workers that are alive or may come back.
    """
    root = data_dir / "tmp"
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name not in living:
            shutil.rmtree(folder, ignore_errors=True)


class RunDirectory:
    """`{data_dir}/runs/{run_id}/{job_id}`, made on entry; `remove_run` deletes the folders of all jobs of the run."""

    def __init__(self, data_dir: Path, run_id: int, job_id: str) -> None:
        self.path = data_dir / "runs" / str(run_id) / job_id
        self.path.mkdir(parents=True, mode=0o700, exist_ok=True)
        self.log_path.touch(mode=0o600)
        self.log = LogFollower(self.log_path)

    @property
    def log_path(self) -> Path:
        return self.path / "log.txt"

    def begin_log(self, earlier: list[str]) -> None:
        """Start the log with what earlier runs of the job logged, and do not send that again."""
        self.log_path.write_text("".join(f"{line}\n" for line in earlier), "utf-8", "backslashreplace")
        self.log.skip()

    def cap_log(self, max_bytes: int) -> None:
        """Cut the log off at its largest size: a job that never stops printing must not fill the disk."""
        if self.log_path.stat().st_size > max_bytes:
            os.truncate(self.log_path, max_bytes)

    def log_tail(self, num_lines: int = 20) -> list[str]:
        """The last lines of the log."""
        return self.log.tail(num_lines)

    def write_log(self, line: str) -> None:
        """Add a line from the supervisor, for a runner that can no longer write one."""
        with self.log_path.open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(line + "\n")

    def write_metrics(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write `metrics.csv` from the stored records, so that it equals what the api serves."""
        (self.path / "metrics.csv").write_text(metrics_csv(rows), "utf-8")

    def files(self, *, all_artifacts: bool) -> list[Path]:
        """Which files to store: all after a success; otherwise only log and metrics, as others may be incomplete."""
        names = None if all_artifacts else {"log.txt", "metrics.csv"}
        return [path for path in sorted(self.path.iterdir()) if path.is_file() and (not names or path.name in names)]


def _text(line: bytes) -> str:
    """Remove NUL, which a log may hold but a database's text may not."""
    return line.decode(errors="replace").replace("\0", "\ufffd")[:_MAX_LINE_CHARACTERS]
