"""Rich progress bars of one or several jobs; silent where there is no terminal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

STATE_STYLES = {
    "queued": "dim",
    "starting": "cyan",
    "running": "cyan",
    "pausing": "magenta",
    "paused": "magenta",
    "cancelling": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
}


class JobBars:
    """One bar per job, moved by the job's JSON."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, job: Mapping[str, Any]) -> None:
        """Draw a job as it is now."""
        task = self._tasks.get(job["id"])
        if task is None:
            title = escape(job.get("name") or job["id"])
            task = self._tasks[job["id"]] = self._progress.add_task(title, total=1.0, state="", epochs="")
        state = job["state"]
        seen = job.get("progress") or {}
        fraction = 1.0 if state == "succeeded" else seen.get("fraction") or 0.0
        epochs = f"epoch {seen['epoch']}/{seen['num_epochs']}" if seen.get("num_epochs") and seen.get("epoch") else ""
        style = STATE_STYLES.get(state, "")
        self._progress.update(task, completed=fraction, state=f"[{style}]{state}[/]" if style else state, epochs=epochs)
        if state in ("succeeded", "failed", "cancelled"):
            self._progress.stop_task(task)


@contextmanager
def job_progress(*, enabled: bool = True, console: Console | None = None) -> Iterator[JobBars]:
    """Bars on stderr (stdout stays for the answer); none if `enabled` is False or there is no terminal."""
    console = console or Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=32),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[state]:<9}"),
        TextColumn("{task.fields[epochs]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not (enabled and console.is_terminal),
    )
    with progress:
        yield JobBars(progress)
