"""Progress of jobs and sweeps during a wait: bars on a terminal, elsewhere a line from time to time."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from regclient.display.terminal import Console, make_console, visible
from regclient.errors import RegClientError
from regclient.known_kinds import headline_metrics

Show = Callable[[dict[str, Any]], None]
"""Called with the JSON of a job or sweep each time it is fetched."""
Fetch = Callable[[str, int], "Mapping[str, Any] | None"]
"""Called with a job's id and a `seq`; returns the newest metrics row after it, or None."""

STATE_STYLES = {
    "queued": "dim",
    "validating": "cyan",
    "starting": "cyan",
    "running": "cyan",
    "pausing": "magenta",
    "paused": "magenta",
    "cancelling": "yellow",
    "ready": "green",
    "succeeded": "green",
    "failed": "red",
    "invalid": "red",
    "cancelled": "yellow",
}
LINE_EVERY_S = 10.0
BAR_WIDTH = 12
_ENDED = ("succeeded", "failed", "cancelled")
_GAP = "  "


class LatestValues:
    """The newest metrics of jobs, fetched only after an epoch has ended."""

    def __init__(self, fetch: Fetch | None) -> None:
        self._fetch = fetch
        self._epochs: dict[str, int] = {}
        self._rows: dict[str, Mapping[str, Any]] = {}

    def of(self, job: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values of the job's newest row, `{"train/loss": …}`; empty if there is none."""
        epoch = (job.get("progress") or {}).get("epoch") or 0
        row = self._rows.get(job["id"], {})
        if self._fetch is not None and epoch > self._epochs.get(job["id"], 0):
            # A failure to fetch numbers for a bar must not end the wait; the wait's own requests raise it if it lasts.
            with suppress(RegClientError):
                row = self._rows[job["id"]] = self._fetch(job["id"], row.get("seq", 0)) or row
                self._epochs[job["id"]] = epoch
        values: Mapping[str, Any] = row.get("values") or {}
        return values


def job_details(job: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return a job's progress: metrics on train and validation (else test), its epoch, and the time left."""
    progress = job.get("progress") or {}
    details = [text for split in _splits(values) if (text := _scores(split, values))]
    if progress.get("num_epochs") and progress.get("epoch"):
        details.append(f"epoch {progress['epoch']}/{progress['num_epochs']}")
    if progress.get("eta_s") and job["state"] == "running":
        details.append(f"{_duration(progress['eta_s'])} left")
    return details


def sweep_details(sweep: Mapping[str, Any]) -> list[str]:
    """Return a sweep's progress: how many members have ended and how many run, and the best value so far."""
    counts = sweep.get("counts") or {}
    num_running = counts.get("starting", 0) + counts.get("running", 0)
    details = [f"{_num_ended(sweep):,} of {sweep.get('num_members') or 0:,} ended"]
    if num_running:
        details.append(f"{num_running:,} running")
    leaders = sweep.get("leaderboard") or []
    if leaders and (leaders[0].get("objective") or {}).get("mean") is not None:
        metric = ((sweep.get("spec") or {}).get("objective") or {}).get("metric", "objective")
        details.append(
            f"best{'' if sweep['state'] in _ENDED else ' so far'}: {metric} {leaders[0]['objective']['mean']:.4g}"
        )
    return details


def job_fraction(job: Mapping[str, Any]) -> float:
    """Return the share of a job that is done, from 0 to 1."""
    return 1.0 if job["state"] == "succeeded" else (job.get("progress") or {}).get("fraction") or 0.0


def sweep_fraction(sweep: Mapping[str, Any]) -> float:
    """Return the share of a sweep's members that have ended."""
    return _num_ended(sweep) / sweep["num_members"] if sweep.get("num_members") else 0.0


class _Bars:
    """Two or more lines for each id, redrawn at each update: id, name, bar and state, with details below."""

    def __init__(self, live: Live, console: Console) -> None:
        self._live = live
        self._console = console
        self._drawn: dict[str, Group] = {}

    def _draw(self, seen: Mapping[str, Any], fraction: float, details: list[str]) -> None:
        width = self._console.width
        head = _head(seen, fraction)
        if sum(len(str(part)) + 1 for part in head) > width:
            head, details = head[:1], [" ".join(map(str, head[1:])).strip(), *details]
        below = Text("\n").join(Text(_GAP + line, style="dim") for line in packed(details, width - len(_GAP)))
        self._drawn[seen["id"]] = Group(_filled(head, seen.get("name") or "", fraction, width), below)
        self._live.update(Group(*self._drawn.values()), refresh=True)


class JobBars(_Bars):
    """Progress bars of jobs."""

    def __init__(self, live: Live, console: Console, fetch: Fetch | None) -> None:
        super().__init__(live, console)
        self._latest = LatestValues(fetch)

    def show(self, job: Mapping[str, Any]) -> None:
        """Draw the job's current state."""
        self._draw(job, job_fraction(job), job_details(job, self._latest.of(job)))


class SweepBars(_Bars):
    """Progress bars of sweeps, over their members."""

    def show(self, sweep: Mapping[str, Any]) -> None:
        """Draw the sweep's current state."""
        self._draw(sweep, sweep_fraction(sweep), sweep_details(sweep))


class _Lines:
    """Progress for a log file or a pipe: a line when the state changes, and otherwise every LINE_EVERY_S."""

    def __init__(self, console: Console, every_s: float = LINE_EVERY_S) -> None:
        self._console = console
        self._every_s = every_s
        self._said: dict[str, list[str]] = {}
        self._next_at: dict[str, float] = {}

    def _tell(self, seen: Mapping[str, Any], fraction: float, details: Callable[[], list[str]]) -> None:
        before = self._said.get(seen["id"], [""])
        if seen["state"] == before[0] and time.monotonic() < self._next_at[seen["id"]]:
            return
        said = [seen["state"], f"{100 * fraction:.0f} %", *details()]
        if said == before:
            return
        self._said[seen["id"]], self._next_at[seen["id"]] = said, time.monotonic() + self._every_s
        line = _GAP.join([f"{datetime.now(UTC):%H:%M:%SZ}", seen["id"], *said])
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class JobLines(_Lines):
    """Progress lines of jobs."""

    def __init__(self, console: Console, fetch: Fetch | None, every_s: float = LINE_EVERY_S) -> None:
        super().__init__(console, every_s)
        self._latest = LatestValues(fetch)

    def show(self, job: Mapping[str, Any]) -> None:
        """Print a line if there is news of the job."""
        self._tell(job, job_fraction(job), lambda: job_details(job, self._latest.of(job)))


class SweepLines(_Lines):
    """Progress lines of sweeps."""

    def show(self, sweep: Mapping[str, Any]) -> None:
        """Print a line if there is news of the sweep."""
        self._tell(sweep, sweep_fraction(sweep), lambda: sweep_details(sweep))


@contextmanager
def job_progress(
    progress: bool | Show = True, *, fetch: Fetch | None = None, console: Console | None = None
) -> Iterator[Show]:
    """Yield the function to call with a job's JSON; it draws bars on stderr, since stdout is for results.

    Args:
        progress: If it is a function, it is yielded instead. With False, or without a terminal, nothing is drawn.
        fetch: The source of the numbers beside the bar.
        console: A console to draw on instead of stderr.
    """
    with _live(progress, console) as (live, drawn_on):
        yield _shown(progress, live, lambda one: JobBars(one, drawn_on, fetch).show)


@contextmanager
def sweep_progress(progress: bool | Show = True, *, console: Console | None = None) -> Iterator[Show]:
    """Yield the function to call with a sweep's JSON; see `job_progress`."""
    with _live(progress, console) as (live, drawn_on):
        yield _shown(progress, live, lambda one: SweepBars(one, drawn_on).show)


@contextmanager
def _live(progress: bool | Show, console: Console | None) -> Iterator[tuple[Live | None, Console]]:
    console = console or make_console(stderr=True)
    if progress is not True or not console.is_live:
        yield None, console
        return
    with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
        yield live, console


def _shown(progress: bool | Show, live: Live | None, drawing: Callable[[Live], Show]) -> Show:
    if callable(progress):
        return progress
    return drawing(live) if live is not None else lambda seen: None


def packed(parts: list[str], width: int) -> list[str]:
    """Join parts into as few lines as possible, without breaking a part."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(_GAP) + len(part) <= width:
            lines[-1] += _GAP + part
        else:
            lines.append(part)
    return lines


def _head(seen: Mapping[str, Any], fraction: float) -> list[Text]:
    state = seen["state"]
    return [Text(seen["id"]), Text(f"{100 * fraction:3.0f} %"), Text(state, style=STATE_STYLES.get(state, ""))]


def _filled(head: list[Text], name: str, fraction: float, width: int) -> Table:
    """Return the head, with a bar and the name if there is room. The id is never cut, so that it can be copied."""
    row: list[Text | ProgressBar] = [*head]
    left = width - sum(text.cell_len + 1 for text in head)
    if left > BAR_WIDTH:
        row.insert(1, ProgressBar(total=1.0, completed=fraction, width=BAR_WIDTH))
        left -= BAR_WIDTH + 1
    if name and left >= min(cell_len(name), BAR_WIDTH):
        shown = Text(visible(name))
        shown.truncate(left, overflow="ellipsis")
        row.append(shown)
    grid = Table.grid(padding=(0, 1, 0, 0))
    for _ in row:
        grid.add_column(overflow="fold")
    grid.add_row(*row)
    return grid


def _splits(values: Mapping[str, Any]) -> tuple[str, str]:
    return ("train", "validation" if "validation/loss" in values else "test")


def _scores(split: str, values: Mapping[str, Any]) -> str:
    named = {name: values.get(f"{split}/{name}") for name in ("loss", *headline_metrics(of_each=1))}
    known = [f"{name} {value:.4g}" for name, value in named.items() if value is not None]
    return f"{split}: {', '.join(known)}" if known else ""


def _num_ended(sweep: Mapping[str, Any]) -> int:
    counts = sweep.get("counts") or {}
    return sum(counts.get(state, 0) for state in _ENDED)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
