"""Rich progress bars of jobs and sweeps; silent where there is no terminal."""

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


_ENDED = ("succeeded", "failed", "cancelled")


class _Bars:
    """One bar for each id."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def _draw(self, seen: Mapping[str, Any], fraction: float, detail: str) -> None:
        task = self._tasks.get(seen["id"])
        if task is None:
            title = escape(seen.get("name") or seen["id"])
            task = self._tasks[seen["id"]] = self._progress.add_task(title, total=1.0, state="", detail="")
        state = seen["state"]
        style = STATE_STYLES.get(state, "")
        self._progress.update(task, completed=fraction, state=f"[{style}]{state}[/]" if style else state, detail=detail)
        if state in _ENDED:
            self._progress.stop_task(task)


class JobBars(_Bars):
    """One bar per job, moved by the job's JSON."""

    def show(self, job: Mapping[str, Any]) -> None:
        """Draw a job as it is now."""
        seen = job.get("progress") or {}
        fraction = 1.0 if job["state"] == "succeeded" else seen.get("fraction") or 0.0
        epochs = f"epoch {seen['epoch']}/{seen['num_epochs']}" if seen.get("num_epochs") and seen.get("epoch") else ""
        self._draw(job, fraction, epochs)


class SweepBars(_Bars):
    """One bar per sweep, over its members."""

    def show(self, sweep: Mapping[str, Any]) -> None:
        """Draw a sweep as it is now."""
        counts, total = sweep.get("counts") or {}, sweep.get("num_members") or 0
        num_ended = sum(counts.get(state, 0) for state in _ENDED)
        num_running = counts.get("starting", 0) + counts.get("running", 0)
        detail = f"{num_ended:,} of {total:,} ended" + (f", {num_running:,} running" if num_running else "")
        self._draw(sweep, num_ended / total if total else 0.0, detail)


@contextmanager
def job_progress(*, enabled: bool = True, console: Console | None = None) -> Iterator[JobBars]:
    """Bars on stderr (stdout stays for the answer); none if `enabled` is False or there is no terminal."""
    with _progress(enabled=enabled, console=console) as progress:
        yield JobBars(progress)


@contextmanager
def sweep_progress(*, enabled: bool = True, console: Console | None = None) -> Iterator[SweepBars]:
    """The same for sweeps."""
    with _progress(enabled=enabled, console=console) as progress:
        yield SweepBars(progress)


def _progress(*, enabled: bool, console: Console | None) -> Progress:
    console = console or Console(stderr=True)
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=32),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[state]:<9}"),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not (enabled and console.is_terminal),
    )
