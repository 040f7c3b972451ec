"""The command try: from a file to a verdict on regularizers."""

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from regclient.cli.following import raising_signals, signal_number, uploading
from regclient.cli.options import CLI_MAX_RETRIES, TRAIN, AsJSON
from regclient.cli.sweeps import Plot
from regclient.cli.trial_pages import (
    Left,
    Subject,
    as_json_object,
    best_spec,
    print_next_steps,
    print_seen,
    print_trial,
    print_warning,
)
from regclient.cli.trial_run import Budget, Round, combine, run_round
from regclient.datasets import Header
from regclient.display.dataset_tables import columns_table
from regclient.display.output import err, print_json
from regclient.display.terminal import given_text
from regclient.display.trial_plots import draw_trial
from regclient.errors import InvalidRequestError
from regclient.http.answers import JSONObject
from regclient.stack.borrowed import Borrowed, borrowed_server
from regclient.uploads import regular_file

BUILTIN = "builtin:"
DEFAULT_BUDGET = "10m"
MAX_COLUMNS_SHOWN = 30
_WITH_TARGETS = ("npz", "idx", "zip", "folder")
"""Formats that say themselves what is predicted: `y` of an NPZ file, the folders of files."""
_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h)?")
_UNIT_S = {None: 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_OPTION_OF = {
    "target": "--target",
    "exclude": "--exclude",
    "types": "--types",
    "group_column": "--group",
    "split_column": "--split",
    "features": "--features",
}
_FEATURES = ("table", "image", "text", "audio")
_SHORT_MODELS = ("linear", "cnn", "rnn", "transformer")
_STEM = re.compile(r"(\.(csv|tsv|txt|parquet|jsonl|ndjson|npz|zip))?(\.gz)?$", re.IGNORECASE)


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("try", rich_help_panel=TRAIN)(try_file)


def read_budget_s(text: str) -> float:
    """Return the seconds of `90`, `90s`, `10m` or `1h`.

    Raises:
        BadParameter: It is none of these, or 0.
    """
    found = _BUDGET.fullmatch(text.strip().lower())
    budget_s = float(found[1]) * _UNIT_S[found[2]] if found else 0.0
    if not 0 < budget_s <= 31_536_000:
        raise typer.BadParameter(f"expected a time such as 20s, 10m or 1h; received {text!r:.40}.")
    return budget_s


def read_types(given: Sequence[str]) -> dict[str, str]:
    """Return the types of `COLUMN=TYPE` settings; a column's name may hold `=`.

    Raises:
        BadParameter: One has no `=`.
    """
    types = {}
    for text in given:
        column, equals, kind = given_text(text).rpartition("=")
        if not (column and equals and kind):
            raise typer.BadParameter(f"expected COLUMN=TYPE, such as zip=category; received {text!r:.80}.")
        types[column] = kind
    return types


def read_model(text: str | None) -> JSONObject | None:
    """Return the model of `64,32`, of the name of a model, or of JSON.

    Raises:
        BadParameter: It is none of these.
    """
    if text is None:
        return None
    if text in _SHORT_MODELS:
        return {"kind": text}
    if re.fullmatch(r"\d+(,\d+)*", text):
        return {"kind": "mlp", "hidden": [int(width) for width in text.split(",")]}
    try:
        model = json.loads(text)
    except ValueError:
        model = None
    if not isinstance(model, dict):
        names = ", ".join(_SHORT_MODELS)
        raise typer.BadParameter(f"expected widths such as 64,32, {names}, or a model as JSON; received {text!r:.80}.")
    return model


def read_features(text: str | None) -> JSONObject | None:
    """Return the features of `text`, another kind, or JSON.

    Raises:
        BadParameter: It is none of these.
    """
    if text is None or text in _FEATURES:
        return None if text is None else {"kind": text}
    try:
        features = json.loads(text)
    except ValueError:
        features = None
    if not isinstance(features, dict):
        raise typer.BadParameter(f"expected {', '.join(_FEATURES)}, or features as JSON; received {text!r:.80}.")
    return features


def stem_of(file: str) -> str:
    """Return the file's name without what says its format."""
    return _STEM.sub("", Path(file.removeprefix(BUILTIN)).name) or "table"


def try_file(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="CSV, Parquet, JSON lines or NPZ, perhaps with .gz; a folder or ZIP of images, sounds or texts, in a "
            "folder for each class; or builtin:wine and the like.",
        ),
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    budget: Annotated[str, typer.Option(metavar="TIME", help="About how long it may take: 20s, 10m, 1h.")] = (
        DEFAULT_BUDGET
    ),
    num_seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", min=1, max=1000, help="Exactly N seeds.")
    ] = None,
    first_seed: Annotated[int, typer.Option("--first-seed", metavar="SEED", min=0, help="The first of N seeds.")] = 0,
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Widths of layers, as 64,32; cnn, rnn, transformer; or JSON."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="TASK",
            help="classification or regression, by default by the target; or reconstruction, of whole rows.",
        ),
    ] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="No feature; may be given again.")] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=TYPE", help="number, category, boolean, date, text or ignore; again for more."),
    ] = None,
    group_column: Annotated[
        str | None, typer.Option("--group", metavar="COLUMN", help="Rows of one value stay in one split.")
    ] = None,
    split_column: Annotated[
        str | None, typer.Option("--split", metavar="COLUMN", help="It says train, validation or test.")
    ] = None,
    header: Annotated[
        Header, typer.Option(metavar="auto|yes|no", help="Whether the first row of a CSV file has the columns' names.")
    ] = "auto",
    features: Annotated[
        str | None,
        typer.Option(
            metavar="FEATURES",
            help="How rows reach the network: table, image, text, audio, or JSON such as "
            '\'{"kind": "image", "size": [64, 64]}\'; by default by what the file holds.',
        ),
    ] = None,
    plot: Plot = None,
    out_stem: Annotated[
        str | None, typer.Option("--out", metavar="STEM", help="Write STEM-best.json and STEM-try.png.")
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Find out which regularizer helps on your data: from a file or folder to a verdict.

    It trains a network with each regularizer and without, tuned over seeds and splits, beside two plain baselines;
    it uses the server that it finds, else one of its own for the time it takes. The best spec is left in a file.
    """
    asked = Budget(read_budget_s(budget), time.monotonic())
    fields: dict[str, Any] = {
        "target": target and given_text(target),
        "exclude": [given_text(one) for one in exclude or []],
        "types": read_types(types or []),
        "group_column": group_column and given_text(group_column),
        "split_column": split_column and given_text(split_column),
        "features": read_features(features),
    }
    fields = {name: value for name, value in fields.items() if value}
    wanted: dict[str, Any] = {
        "model": read_model(model),
        "task": None if task is None else {"kind": task},
        "seeds": None if num_seeds is None else list(range(first_seed, first_seed + num_seeds)),
    }
    if file.startswith(BUILTIN):
        _refuse_columns(file, fields)
    else:
        _refuse_missing(file)

    def announce(part: str, line: str) -> None:
        if part == "api" and line.startswith("http") and not as_json:
            err.print(f"No server runs here; one was started for the time: {line}", highlight=False, soft_wrap=True)

    with raising_signals(), borrowed_server(announce, max_retries=CLI_MAX_RETRIES) as server:
        data, said = _data_of(server, file, header, fields, task, as_json=as_json)
        checked = server.client.jobs.validate(_probe(data, wanted["task"]))
        subject = Subject(file, header, out_stem or stem_of(file), data, checked)
        if not as_json:
            print_seen(subject, said)
        rounds = _run(server, subject, wanted, asked, as_json=as_json)
        _conclude(server, rounds, subject, plot, as_json=as_json)
    interrupted = next((one.cut for one in rounds if isinstance(one.cut, KeyboardInterrupt)), None)
    if interrupted is not None:
        raise typer.Exit(128 + signal_number(interrupted))
    raise typer.Exit(0 if rounds[0].trial is not None else 1)


def _refuse_columns(file: str, fields: dict[str, Any]) -> None:
    """Refuse what only a table of one's own has."""
    if fields:
        raise typer.BadParameter(
            f"{file} has its own target and features; leave out {', '.join(_OPTION_OF[name] for name in fields)}."
        )


def _refuse_missing(file: str) -> None:
    """Refuse a file that cannot be read, before a server is started."""
    if file == "-":
        raise typer.BadParameter("expected a file, which the best spec can name; received stdin.")
    with regular_file(given_text(file)):
        return


def _data_of(
    server: Borrowed, file: str, header: Header, fields: dict[str, Any], task: str | None, *, as_json: bool
) -> tuple[JSONObject, set[str]]:
    """Return the data of a spec, and what was said of them; a file is uploaded for it, and its columns are shown."""
    if file.startswith(BUILTIN):
        return {"kind": "builtin", "name": file.removeprefix(BUILTIN)}, set()
    with uploading():
        dataset = server.client.datasets.upload(given_text(file), header=header, progress=not as_json)
    if not as_json:
        err.print(columns_table(dataset.columns[:MAX_COLUMNS_SHOWN]))
        left_out = len(dataset.columns) - MAX_COLUMNS_SHOWN
        if left_out > 0:
            err.print(f"and {left_out:,} more columns: regcore datasets show {dataset.id}", highlight=False)
        for warning in dataset.warnings:
            print_warning(warning)
    has_target = dataset.body.get("format") in _WITH_TARGETS
    if "target" not in fields and task != "reconstruction" and not has_target:
        names = ", ".join(column["name"] for column in dataset.columns)
        raise typer.BadParameter(f"say which column to predict, one of: {names}.", param_hint="'--target'")
    said = set() if as_json else {warning["message"] for warning in dataset.warnings}
    return {"kind": "dataset", "id": dataset.id, **fields}, said


def _probe(data: JSONObject, task: JSONObject | None) -> JSONObject:
    """Return the spec of a linear model that every table can train: the server says what it makes of the data."""
    probe = {"data": data, "model": {"kind": "linear"}, "training": {"batch_size": "full"}}
    return probe if task is None else probe | {"task": task}


def _run(server: Borrowed, subject: Subject, wanted: dict[str, Any], budget: Budget, *, as_json: bool) -> list[Round]:
    """Run the first sweep and, if there is time and something was learned, the one that follows it."""
    suggestion = server.client.sweeps.suggest(subject.data, budget_s=budget.of_first_round_s, **wanted)
    if not as_json:
        err.print(suggestion["reason"], markup=False, highlight=False)
    first = run_round(server, suggestion, budget, subject.task, as_json=as_json)
    if first.cut is not None or first.trial is None or not first.trial.beats_constant:
        return [first]
    try:
        suggestion = server.client.sweeps.suggest(after=first.sweep, budget_s=budget.left_s)
    except InvalidRequestError:  # fewer than two regularizers can be combined
        return [first]
    if suggestion["estimate_s"] > budget.left_s:
        return [first]
    if not as_json:
        err.print(suggestion["reason"], markup=False, highlight=False)
    return [first, run_round(server, suggestion, budget, subject.task, as_json=as_json)]


def _conclude(server: Borrowed, rounds: list[Round], subject: Subject, plot: Path | None, *, as_json: bool) -> None:
    """Say what was found, and leave picture and spec."""
    first, combination = rounds[0], combine(rounds)
    left: Left | None = None
    if first.trial is not None and first.trial.winner is not None:
        job_id = combination.job_id if combination is not None and combination.wins else first.job_id
        left = Left(job_id, Path(f"{subject.stem}-best.json"), plot or Path(f"{subject.stem}-try.png"))
        spec = best_spec(server.client.jobs.get(job_id).resolved_spec, subject)
        left.spec_file.write_text(json.dumps(spec, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        title = f"Which regularizer helps on {subject.name}?"
        draw_trial(first.trial, left.picture, task=subject.task, title=title)
    if as_json:
        print_json(as_json_object(rounds, combination, subject, left))
        return
    print_trial(rounds, combination, subject)
    if left is not None:
        print_next_steps(left, subject, is_own=server.is_own)
