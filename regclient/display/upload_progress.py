"""Progress of an upload: a bar while the file is read and sent, and the time while the server reads it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from regclient.display.terminal import Console, make_console

ROWS_IN_MEMORY = "rows"


class _Only(ProgressColumn):
    """A column that is shown only while the number of bytes is known, or only while it is not."""

    def __init__(self, column: ProgressColumn, *, sized: bool) -> None:
        super().__init__()
        self._column = column
        self._sized = sized

    def render(self, task: Task) -> Any:
        return self._column.render(task) if (task.total is not None) == self._sized else Text("")


class UploadBar:
    """One line: what is done, and how far it is. Without a terminal nothing is drawn."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)
        self._name = ROWS_IN_MEMORY

    def reading(self, path: str | None) -> Callable[[int], None]:
        """Begin to read a file for its hash; return the function to call with numbers of bytes."""
        self._name = os.path.basename(path) if path else ROWS_IN_MEMORY
        return self._begin("reading", _size_bytes(path))

    def sending(self, size_bytes: int) -> Callable[[int], None]:
        """Begin to send the file, anew after a failure; return the function to call with numbers of bytes."""
        return self._begin("sending", size_bytes)

    def show_state(self, dataset: Mapping[str, Any]) -> None:
        """Show that the server reads the file."""
        description = f"{dataset.get('name') or dataset['id']}  {dataset['state']}"
        if self._progress.tasks[self._task].description != description:
            self._progress.reset(self._task, description=description, total=None)

    def _begin(self, what: str, size_bytes: int | None) -> Callable[[int], None]:
        self._progress.reset(self._task, description=f"{self._name}  {what}", total=size_bytes)
        return lambda num_bytes: self._progress.advance(self._task, num_bytes)


@contextmanager
def upload_progress(progress: bool, *, console: Console | None = None) -> Iterator[UploadBar]:
    """Yield the bar of an upload, drawn on stderr and removed at its end, since stdout is for results.

    Args:
        progress: False draws nothing.
        console: A console to draw on instead of stderr.
    """
    console = console or make_console(stderr=True)
    drawn = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        _Only(DownloadColumn(), sized=True),
        _Only(TransferSpeedColumn(), sized=True),
        _Only(TimeRemainingColumn(compact=True), sized=True),
        _Only(TextColumn("left"), sized=True),
        _Only(TimeElapsedColumn(), sized=False),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        disable=not progress or not console.is_live,
    )
    with drawn:
        yield UploadBar(drawn)


def _size_bytes(path: str | None) -> int | None:
    try:
        return os.stat(path).st_size if path else None
    except (OSError, ValueError):  # opening it says what is wrong
        return None
