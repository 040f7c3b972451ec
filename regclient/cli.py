"""The `regcore` command: `regclient.cli:main`, or `app` for typer.

Exit codes: 0 success, 1 the job or sweep failed or was cancelled (or a local part of the stack did), 2 usage, 3 server
unreachable, 4 not allowed, 5 other API error or a damaged file, 124 the wait timed out, 130 interrupted.
"""

import sys

import typer

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
from regclient.output import print_error
from regclient.server_settings import WrongSettingError

EXIT_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (UsageError, 2),
    (ServerUnreachableError, 3),
    (NotAllowedError, 4),
    (APIError, 5),
    (IntegrityError, 5),
    (WaitTimeoutError, 124),
    (WrongSettingError, 2),
    (RegClientError, 1),
    (KeyboardInterrupt, 130),
)

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
    try:
        app()
    except (RegClientError, KeyboardInterrupt) as error:
        if isinstance(error, RegClientError):
            print_error(error, as_json="--json" in sys.argv)
        sys.exit(exit_code(error))


def exit_code(error: BaseException) -> int:
    """The exit code of an error: that of the first class in the table that it belongs to."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


if __name__ == "__main__":
    main()
