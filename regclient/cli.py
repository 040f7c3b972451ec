"""The `regcore` command: `app` for typer, and `main`, which `regclient.__main__` calls.

Exit codes: 0 success, 1 the job or sweep failed or was cancelled (or a local part of the stack did), 2 usage, 3 server
unreachable, 4 not allowed, 5 other API error or a damaged file, 70 a fault of regcore itself, 74 a local file or the
output cannot be read or written, 124 the wait timed out, 130 interrupted (143 by SIGTERM, 129 by SIGHUP), 141 who read
the output has left, as `| head` does.
"""

import os
import sys
import traceback
from collections.abc import Callable

import typer
from typer.exceptions import TyperException

from regclient import cli_jobs, cli_server, cli_sweeps
from regclient.errors import (
    APIError,
    IntegrityError,
    NotAllowedError,
    RegClientError,
    ServerUnreachableError,
    UsageError,
    WaitTimeoutError,
)
from regclient.following import StoppedWaitingError
from regclient.output import err, print_error, without_secrets
from regclient.server_settings import WrongSettingError
from regclient.terminal import OutputError, ReaderGoneError, flush_answers, prepare_streams

INTERRUPTED = 130
OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h
EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (UsageError, 2),
    (ServerUnreachableError, 3),
    (NotAllowedError, 4),
    (APIError, 5),
    (IntegrityError, 5),
    (WaitTimeoutError, 124),
    (WrongSettingError, 2),
    (ReaderGoneError, 141),
    (OutputError, 74),
    (RegClientError, 1),
    (KeyboardInterrupt, INTERRUPTED),
    (typer.Abort, INTERRUPTED),
    (OSError, 74),  # after WaitTimeoutError, which is one
)
DEBUG_VARIABLE = "REGCORE_DEBUG"

app = typer.Typer(
    name="regcore",
    help="Train regularized networks as jobs. `regcore up` starts everything on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cli_server.register(app)
cli_jobs.register(app)
cli_sweeps.register(app)


def main() -> None:
    """Run the command line and leave with the code of what happened."""
    sys.exit(run(lambda: app(prog_name="regcore", standalone_mode=False), as_json="--json" in sys.argv))


def run(command: Callable[[], int | None], *, as_json: bool = False) -> int:
    """Run a whole program: whatever it raises ends here, in one line on stderr and an exit code of its own.

    Returns:
        The exit code: the command's own, 0 if it has none to give.
    """
    prepare_streams()
    try:
        try:
            code = command()
        finally:
            flush_answers()
    except (Exception, KeyboardInterrupt) as error:
        _explain(error, as_json=as_json)
        return exit_code(error)
    return code or 0


def exit_code(error: BaseException) -> int:
    """The exit code of an error: its own if it has one, else that of the first class in the table it belongs to."""
    if isinstance(error, StoppedWaitingError | TyperException):
        return error.exit_code
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), OWN_FAULT)


def _explain(error: BaseException, *, as_json: bool) -> None:
    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        sys.stderr.write(without_secrets("".join(traceback.format_exception(error))))
    message = _message(error)
    if isinstance(error, StoppedWaitingError) and not as_json:
        err.print(message, markup=False, highlight=False, soft_wrap=True)
    elif message:
        print_error(error, as_json=as_json, message=message)


def _message(error: BaseException) -> str:
    """What a person is told; nothing where they know already, or nobody reads."""
    match error:
        case ReaderGoneError() | KeyboardInterrupt() | typer.Abort():
            return ""
        case TyperException():
            context = getattr(error, "ctx", None)
            said = error.format_message()
            return f"{said.rstrip('.')}. See `{context.command_path} --help`." if said and context else said
        case RegClientError():
            return str(error)
        case OSError():
            return ": ".join(str(part) for part in (error.strerror or error, error.filename) if part is not None)
    return (
        f"This is a fault of regcore itself: {type(error).__name__}: {error}. Please report it, with what the same "
        f"command prints where {DEBUG_VARIABLE}=1 is set."
    )
