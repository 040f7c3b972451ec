"""Interrupted waits: when a signal ends a command, its message says how to follow or cancel the job that goes on."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from regclient.errors import RegClientError
from regclient.handle import Run

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class StoppedWaitingError(RegClientError):
    """A signal ended the command while something on the server went on.

    Attributes:
        awaited_id: The job's or sweep's id, if it is known.
        exit_code: 128 plus the signal's number, as in a shell: 130 for Ctrl-C.
    """

    def __init__(self, message: str, number: int, awaited_id: str | None = None) -> None:
        super().__init__(message)
        self.awaited_id = awaited_id
        self.exit_code = 128 + number


@contextmanager
def making(kind: str) -> Iterator[None]:
    """Handle signals during a request that creates a job or a sweep.

    Raises:
        StoppedWaitingError: A signal came before its answer.
    """
    with raising_signals():
        try:
            yield
        except KeyboardInterrupt as interrupt:
            raise StoppedWaitingError(
                f"Interrupted before the server answered: it may have made the {kind}, or not. `regcore {kind}s` shows "
                "it; with an --idempotency-key, the same command can be given again and makes no second one.",
                signal_number(interrupt),
            ) from None


@contextmanager
def uploading() -> Iterator[None]:
    """Handle signals while a file is sent, and while the server reads it.

    Raises:
        StoppedWaitingError: A signal came before the table was ready.
    """
    with raising_signals():
        try:
            yield
        except KeyboardInterrupt as interrupt:
            raise StoppedWaitingError(
                "Interrupted. A file that was not sent whole leaves nothing on the server; one that was is read to its "
                "end, as `regcore datasets` shows. The same command can be given again, and sends nothing twice.",
                signal_number(interrupt),
            ) from None


@contextmanager
def following(found: Run) -> Iterator[None]:
    """Handle signals during a wait for the end of a job or sweep.

    Raises:
        StoppedWaitingError: A signal came before the end.
    """
    with raising_signals():
        try:
            yield
        except KeyboardInterrupt as interrupt:
            raise StoppedWaitingError(_goes_on(found), signal_number(interrupt), found.id) from None


def _goes_on(found: Run) -> str:
    if found.done:
        return f"Interrupted; {found.id} has ended: {found.state}."
    again = f"regcore watch {found.id}" if found.kind == "job" else f"regcore sweep {found.id} --follow"
    return (
        f"Interrupted; {found.id} goes on ({found.state}). "
        f"`{again}` follows it again, `regcore cancel {found.id}` cancels it."
    )


@contextmanager
def raising_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP like Ctrl-C; a signal that is ignored, as under nohup, stays ignored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    before = {number: signal.getsignal(number) for number in _ENDING_SIGNALS}
    heeded = [number for number, handler in before.items() if handler == signal.SIG_DFL]
    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, signal.SIG_DFL)


def signal_number(interrupt: KeyboardInterrupt) -> int:
    """Return the number of the signal that raised it."""
    return interrupt.args[0] if interrupt.args else signal.SIGINT
