"""Why a data set is `invalid`, where its file itself does not say: its reader took too long, or died."""

import errno
import signal
from typing import Any

from jobs.states import Reason, make_reason
from worker.datasets.process import Died
from worker.datasets.request import EXIT_DISK_FULL


def too_slow(timeout_s: float) -> dict[str, Any]:
    """The file took longer to read than a file may."""
    message = f"Reading the file took longer than the {timeout_s:g} seconds that it may take."
    remedy = (
        "Upload fewer rows or columns, or the same table as Parquet; or ask the operator to raise "
        "REGCORE_PARSER_TIMEOUT_S."
    )
    return make_reason(Reason.MAX_RUNTIME_EXCEEDED, message, remedy=remedy, details={"timeout_s": timeout_s})


def killed(died: Died) -> dict[str, Any]:
    """The file's reader died: what is said if it was one death too many."""
    if died.returncode == EXIT_DISK_FULL:
        return make_reason(Reason.DISK_FULL)
    how, details = _describe(died.returncode)
    message = f"The process that read the file {how}, again and again."
    return make_reason(Reason.PARSER_LOST, message, details=details)


def damaged(how: str) -> dict[str, Any]:
    """The uploaded bytes are not on the server any more."""
    message = f"The uploaded file cannot be read on the server: {how}"
    return make_reason(Reason.INTERNAL_ERROR, message, remedy="Delete the data set, and upload the file again.")


def failed(error: Exception) -> dict[str, Any]:
    """The worker itself could not have the file read: what is said if that was one failure too many."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return make_reason(Reason.DISK_FULL)
    said = error.strerror if isinstance(error, OSError) else str(error)  # its own words would show our folders
    return make_reason(Reason.INTERNAL_ERROR, f"The worker could not read the file: {type(error).__name__}: {said}")


def _describe(returncode: int) -> tuple[str, dict[str, Any]]:
    if returncode < 0:
        number = -returncode
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        return f"was killed by {name}", {"signal": name}
    return f"ended with status {returncode}", {"exit_status": returncode}
