"""The command predict: a model of a job, or of a folder, on the rows of a file."""

import io
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from regclient.cli.ids import find_job_id, is_meant_as_id
from regclient.cli.options import OWN_TABLES, AsJSON, HeaderOption, add_commands, open_client
from regclient.display.output import err, out, print_json
from regclient.display.terminal import given_text, visible
from regclient.predictions import Predictions, load_local_predictor, predict_file, replaced_when_whole
from regclient.uploads import regular_file

if TYPE_CHECKING:
    from regcore.predict import Predictor

MODEL_FILE = "model.json"


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    add_commands(app, {predict: OWN_TABLES})


def predict(
    job: Annotated[
        str,
        typer.Argument(
            metavar="JOB|FOLDER",
            help="A job: its id, the beginning of one, name, or `last`. Or a folder with its model.json.",
        ),
    ],
    file: Annotated[
        str,
        typer.Argument(
            metavar="ROWS.csv",
            help="CSV, Parquet, JSON lines or NPZ, perhaps with .gz; an image, or a folder or ZIP archive of images; "
            "- for stdin.",
        ),
    ],
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.csv", help="Write it here instead of to stdout.")
    ] = None,
    header: HeaderOption = "auto",
    as_json: AsJSON = False,
) -> None:
    """Predict each row of a file with a job's model, on this machine.

    It writes CSV: row (from 1), prediction, and probability_LABEL for each class; of an autoencoder row and
    reconstruction_error. The rows of a folder or a ZIP archive have the name of their file too. Notes about the rows
    go to stderr.
    """
    logging.getLogger("regcore").addHandler(logging.NullHandler())  # the engine logs its notes, printed below
    with regular_file(given_text(file)) as path:
        if out_file is not None:
            _check_out(out_file, path)
        found = predict_file(_load(job), path, header=header, name="stdin" if file == "-" else None)
    for note in found.notes:
        err.print(f"[yellow]Note:[/] {escape(note)}", highlight=False, soft_wrap=True)
    if out_file is not None:
        with replaced_when_whole(out_file) as opened:
            found.write(opened)
    if as_json:
        print_json(_as_json(found, out_file))
    elif out_file is not None:
        out.print(f"{len(found.values):,} rows  {out_file}", markup=False, highlight=False, soft_wrap=True)
    elif sys.stdout.isatty():  # labels come from a file, and must not control the terminal
        text = io.StringIO()
        found.write(text)
        sys.stdout.write(visible(text.getvalue()))
    else:
        found.write(sys.stdout)


def _load(job: str) -> "Predictor":
    folder = Path(given_text(job))
    if not is_meant_as_id(job) and (folder / MODEL_FILE).is_file():
        return load_local_predictor(folder)
    with open_client() as client:
        found = client.jobs.get(find_job_id(client, job))
        if found.state == "succeeded":
            return found.load_predictor()
    remedy = f"`regcore watch {found.id}` waits for it." if not found.done else f"`regcore show {found.id}` says why."
    raise typer.BadParameter(f"{found.id} is {found.state} and has no model. {remedy}")


def _check_out(out_file: Path, rows: Path) -> None:
    """Refuse a file that cannot be written, or whose rows are read, before any work is done."""
    if not out_file.absolute().parent.is_dir():
        raise typer.BadParameter(f"--out: there is no directory {out_file.parent}.")
    if out_file.is_dir():
        raise typer.BadParameter(f"--out: {out_file} is a directory.")
    if out_file.exists() and out_file.samefile(rows):
        raise typer.BadParameter(f"--out: {out_file} is the file with the rows, and is not overwritten.")


def _as_json(found: Predictions, out_file: Path | None) -> dict[str, Any]:
    said = {"num_rows": len(found.values), "classes": found.classes, "notes": list(found.notes)}
    if out_file is not None:
        return said | {"out": str(out_file)}
    num_named = len(found.header) - len(found.classes or ())
    rows = [
        dict(zip(found.header[:num_named], row, strict=False))
        | ({"probabilities": dict(zip(found.classes, row[num_named:], strict=True))} if found.classes else {})
        for row in found.rows()
    ]
    return said | {"predictions": rows}
