"""The commands about the user's own tables: datasets add, list, show, preview and delete."""

import json
from itertools import islice
from typing import Annotated

import typer

from regclient.cli.following import uploading
from regclient.cli.ids import find_dataset_id
from regclient.cli.jobs import ask_to_delete
from regclient.cli.options import (
    OWN_TABLES,
    AsJSON,
    DatasetArgument,
    HeaderOption,
    TimeoutS,
    open_client,
    print_cut,
    print_state,
)
from regclient.datasets import Dataset
from regclient.display.dataset_tables import (
    columns_table,
    dataset_table,
    datasets_table,
    preview_table,
    size_text,
)
from regclient.display.output import err, out, print_error, print_json
from regclient.display.terminal import given_text
from regclient.errors import APIError

MAX_COLUMNS_AFTER_ADD = 30

app = typer.Typer(invoke_without_command=True)


def register(into: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command("add")(add)
    app.command("list")(show_list)
    app.command("show")(show)
    app.command("preview")(preview)
    app.command("delete")(delete)
    into.add_typer(app, name="datasets", rich_help_panel=OWN_TABLES)


@app.callback()
def datasets(context: typer.Context, as_json: AsJSON = False) -> None:
    """Upload your own tables, and look at what the server read; alone, list them."""
    if context.invoked_subcommand is None:
        show_list(as_json=as_json)


def add(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="CSV, Parquet, JSON lines or NPZ, perhaps with .gz; - for stdin.")
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; by default as the file.")] = None,
    header: HeaderOption = "auto",
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until the server has read it.")] = False,
    timeout_s: TimeoutS = None,
    as_json: AsJSON = False,
) -> None:
    """Upload a table, and show what the server read in it.

    What the server has already is not sent again. The exit code is 5 if it is no table; the reason names the row.
    """
    with open_client(timeout_s) as client:
        with uploading():
            found = client.datasets.upload(
                given_text(file), name=name and given_text(name), header=header, wait=not no_wait, progress=not as_json
            )
        if as_json:
            print_json(found.body)
        elif found.done:
            _print(found, MAX_COLUMNS_AFTER_ADD)
        else:
            print_state(found, as_json=False)
        if not found.was_sent and not as_json:
            err.print("The server had this file already; nothing was sent.", highlight=False)


def show_list(
    name: Annotated[str | None, typer.Option(help="Only this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    as_json: AsJSON = False,
) -> None:
    """List your tables, the newest first."""
    with open_client() as client:
        listed = client.datasets.list(name=name and given_text(name), page_size=min(limit + 1, 1000))
        bodies = [one.body for one in islice(listed, limit + 1)]
    if as_json:
        print_json(bodies[:limit])
    elif bodies:
        out.print(datasets_table(bodies[:limit]))
        print_cut(len(bodies), limit, newest_first=True)
    else:
        remedy = "None matches; `regcore datasets` lists all." if name else "`regcore datasets add FILE` makes one."
        out.print(f"No data sets. {remedy}", highlight=False)


def show(dataset: DatasetArgument, as_json: AsJSON = False) -> None:
    """Show a table: its columns with types and gaps, warnings, and if it is invalid why."""
    with open_client() as client:
        found = client.datasets.get(find_dataset_id(client, dataset))
    print_json(found.body) if as_json else _print(found)


def preview(dataset: DatasetArgument, as_json: AsJSON = False) -> None:
    """Print the first rows of a table, as the server read them."""
    with open_client() as client:
        found = client.datasets.get(find_dataset_id(client, dataset)).preview()
    print_json(found) if as_json else out.print(preview_table(found))


def delete(
    dataset_names: Annotated[
        list[str],
        typer.Argument(metavar="DATASET", help="Data sets: ids, the beginnings of some, names, or `last`."),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Delete tables that no running job needs.

    All are looked up before the first is deleted. Those that cannot be deleted are named; the others are deleted.
    """
    with open_client() as client:
        found = [client.datasets.get(find_dataset_id(client, one)) for one in dict.fromkeys(dataset_names)]
        if not yes:
            ask_to_delete([f"{one.id}  {one.name or ''}  {size_text(one.body.get('size_bytes'))}" for one in found])
        deleted: list[str] = []
        refused: list[APIError] = []
        for one in found:
            try:
                one.delete()
                deleted.append(one.id)
            except APIError as error:
                refused.append(error)
    if as_json:
        print_json([{"id": one_id, "deleted": True} for one_id in deleted])
    else:
        for one_id in deleted:
            out.print(f"{one_id}  deleted", highlight=False)
    for said in refused[:-1]:
        print_error(said, as_json=as_json)
    if refused:
        raise refused[-1]


def _print(dataset: Dataset, max_columns: int | None = None) -> None:
    """Print what was read in a table, and how a spec names it."""
    out.print(dataset_table(dataset.body))
    columns = dataset.columns or []
    if columns:
        out.print()
        out.print(columns_table(columns[:max_columns]))
    if max_columns is not None and len(columns) > max_columns:
        more = f"and {len(columns) - max_columns:,} more columns: `regcore datasets show {dataset.id}` shows them."
        out.print(more, highlight=False)
    if dataset.state == "ready":
        # The folders of a set of files, and the y of arrays, are its target by themselves.
        is_known = dataset.body.get("modality") != "table" and any(one["name"] in ("label", "y") for one in columns)
        target = {} if is_known else {"target": "COLUMN"}
        data = json.dumps({"kind": "dataset", "id": dataset.id} | target)
        out.print(f'\nIn a spec: "data": {data}', markup=False, highlight=False, soft_wrap=True)
