"""What the commands share: their options, the client, and short messages."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.markup import escape

from regclient.cli.following import uploading
from regclient.client import Client
from regclient.datasets import Header
from regclient.display.output import err, out, print_json
from regclient.errors import KeyInClearWarning
from regclient.handle import Handle
from regclient.own_data import upload_files

# Retries take about a second and a half: a user waits for the error at a prompt.
CLI_MAX_RETRIES = 3

TRAIN = "Train"
LOOK = "Look"
OWN_TABLES = "Your own tables"
STOP = "Stop and remove"
SERVERS = "Servers"

_WAYS = "id, the beginning of one, name, or `last`"
AsJSON = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help=f"A job: its {_WAYS}.")]
DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help=f"A data set: its {_WAYS}.")]
EitherArgument = Annotated[str, typer.Argument(metavar="JOB|SWEEP", help=f"A job or a sweep: its {_WAYS}.")]
HeaderOption = Annotated[
    Header, typer.Option("--header", metavar="auto|yes|no", help="Whether the first row of a CSV file names columns.")
]
TimeoutS = Annotated[
    float | None, typer.Option("--timeout", "--timeout-s", min=0, help="Seconds to wait; then exit code 124.")
]
Follow = Annotated[bool, typer.Option("--follow", help="Wait for the end, with a progress bar.")]
Key = Annotated[
    str | None, typer.Option("--idempotency-key", help="A second call with the same key returns the same job or sweep.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change the spec, as in training.epochs=20; may be given again.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", metavar="N", min=1, max=1000, help="Train with N seeds, 0 to N-1, as a sweep."),
]


def add_commands(app: typer.Typer, panels: Mapping[Callable[..., None], str]) -> None:
    """Add commands to the application, each in its panel of the help."""
    for command, panel in panels.items():
        app.command(rich_help_panel=panel)(command)


@contextmanager
def open_client(timeout_s: float | None = None) -> Iterator[Client]:
    """Open the client of a command.

    Args:
        timeout_s: The command's `--timeout`, a limit for all its requests together.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", KeyInClearWarning)
        client = Client(max_retries=CLI_MAX_RETRIES)
    for warning in caught:
        err.print(f"[yellow]Warning:[/] {escape(str(warning.message))}", highlight=False, soft_wrap=True)
    with client, client.deadline(timeout_s):
        yield client


def upload_data(client: Client, spec: Mapping[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Return a spec whose files are uploaded, with the data sets in their place."""
    with uploading():
        return upload_files(client.datasets, spec, progress=not as_json)


def print_state(found: Handle, *, as_json: bool) -> None:
    """Print the id and the new state of a job or sweep that was changed."""
    print_json(found.body) if as_json else out.print(f"{found.id}  {found.state}", highlight=False)


def print_none(kinds: str, made_by: str, *, is_filtered: bool) -> None:
    """Say that a list is empty, and what to do.

    Args:
        kinds: What is listed, such as `jobs`.
        made_by: The command that makes one.
        is_filtered: Whether others may be there that were not asked for.
    """
    remedy = f"None matches; `regcore {kinds}` lists all." if is_filtered else f"`{made_by}` makes one."
    out.print(f"No {kinds}. {remedy}", highlight=False)


def print_cut(num_found: int, limit: int, *, newest_first: bool) -> None:
    """Say that a list was cut, if more rows were found than the limit allows."""
    if num_found > limit:
        which = "newest" if newest_first else "first"
        out.print(f"The {which} {limit:,}; there are more. --limit {5 * limit} shows more of them.", highlight=False)
