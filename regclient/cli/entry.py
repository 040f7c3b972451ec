"""The `regcore` command: `app` is the typer application; `regclient.__main__` calls `main`.

Exit codes: 0 success, 1 the job or sweep failed or was cancelled (or a local part of the stack did), 2 usage, 3 server
unreachable, 4 not allowed, 5 other API error, or a file that is damaged or no table, 70 a fault of regcore itself, 74 a
local file or the output cannot be read or written, 124 the wait timed out, 130 interrupted (143 by SIGTERM, 129 by
SIGHUP), 141 the reader of the output has left, as `| head` does.
"""

import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer
from typer.exceptions import TyperException

from regclient.cli import datasets, jobs, look, predict, server, sweeps, trial
from regclient.cli.following import StoppedWaitingError
from regclient.display.output import err, out, print_error, without_secrets
from regclient.display.terminal import OutputError, ReaderGoneError, flush_answers, prepare_streams
from regclient.errors import (
    APIError,
    DatasetInvalidError,
    FileChangedError,
    IntegrityError,
    NotAllowedError,
    RegClientError,
    ServerUnreachableError,
    UsageError,
    WaitTimeoutError,
)
from regclient.stack.server_settings import WrongSettingError
from regcore.errors import InvalidDataError
from regcore.kinds import PluginError

INTERRUPTED = 130
OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h
EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (UsageError, 2),
    (ServerUnreachableError, 3),
    (NotAllowedError, 4),
    (APIError, 5),
    (IntegrityError, 5),
    (DatasetInvalidError, 5),
    (FileChangedError, 74),
    (InvalidDataError, 5),
    (WaitTimeoutError, 124),
    (WrongSettingError, 2),
    (ReaderGoneError, 141),
    (OutputError, 74),
    (RegClientError, 1),
    (PluginError, 1),
    (KeyboardInterrupt, INTERRUPTED),
    (typer.Abort, INTERRUPTED),
    (OSError, 74),  # after WaitTimeoutError, which is an OSError too
)
DEBUG_VARIABLE = "REGCORE_DEBUG"

app = typer.Typer(
    name="regcore",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="Each command has --help and --json. Exit codes: 0 success, 1 the job or sweep failed or was cancelled, "
    "2 usage, 3 server unreachable, 4 not allowed, 5 another error of the api, or a file that is damaged or no table, "
    "124 a wait timed out.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (server, jobs, sweeps, trial, look, predict, datasets):
    commands.register(app)


def _print_version(asked: bool) -> None:
    if asked:
        out.print(f"regcore {version('regcore')}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Train regularized networks as jobs. `regcore up` starts everything on this machine."""


def main() -> None:
    """Run the command line and exit with its exit code."""
    sys.exit(run(lambda: app(prog_name="regcore", standalone_mode=False), as_json="--json" in sys.argv))


def run(command: Callable[[], int | None], *, as_json: bool = False) -> int:
    """Run a whole program; any exception becomes one line on stderr and an exit code.

    Returns:
        The exit code: what the command returned, or 0 if it returned None.
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
    """Return the exit code of an error: its own if it has one, else that of the first class in EXIT_CODES that fits."""
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
    """Return the message for the user; it is empty if the user knows already or nobody reads."""
    match error:
        case ReaderGoneError() | KeyboardInterrupt() | typer.Abort():
            return ""
        case TyperException():
            context = getattr(error, "ctx", None)
            said = error.format_message()
            return (
                f"{said if said.endswith(('?', '.')) else said + '.'} See `{context.command_path} --help`."
                if said and context
                else said
            )
        case InvalidDataError():
            return f"{error.message.removesuffix('.')}. {error.remedy}".strip()
        case RegClientError() | PluginError():
            return str(error)
        case OSError():
            return ": ".join(str(part) for part in (error.strerror or error, error.filename) if part is not None)
    return (
        f"This is a fault of regcore itself: {type(error).__name__}: {error}. Please report it, with what the same "
        f"command prints where {DEBUG_VARIABLE}=1 is set."
    )
