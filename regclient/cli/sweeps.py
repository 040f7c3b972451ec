"""The commands about many jobs: sweep, sweeps, compare."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from regclient.cli.following import making
from regclient.cli.ids import find_id, find_sweep_id, is_meant_as_id, is_sweep_id
from regclient.cli.jobs import read_labels
from regclient.cli.json_input import read_spec
from regclient.cli.options import (
    LOOK,
    TRAIN,
    AsJSON,
    Follow,
    Key,
    Seeds,
    Settings,
    TimeoutS,
    add_commands,
    open_client,
    print_cut,
    print_none,
    print_state,
    upload_data,
)
from regclient.cli.spec_settings import change_spec, is_sweep_spec
from regclient.cli.sweep_pages import axis_of, print_comparison, show_sweep, wait_for_sweep
from regclient.client import Client
from regclient.display.output import out, print_json
from regclient.display.sweep_numbers import View, contrasts_of_ablation, contrasts_of_comparison, curves_of, view_of
from regclient.display.sweep_plots import draw_contrasts, draw_path
from regclient.display.sweep_tables import sweeps_table
from regclient.display.terminal import given_text
from regclient.errors import NotFoundError
from regclient.http.answers import JSONObject
from regclient.sweep import Sweep

PICTURES = (".png", ".svg", ".pdf")


def _check_picture(file: Path | None) -> Path | None:
    """Refuse a file that cannot be written, before any waiting begins."""
    if file is not None and file.suffix.lower() not in PICTURES:
        raise typer.BadParameter(f"expected a name that ends in {', '.join(PICTURES)}; received {file.name!r}.")
    if file is not None and not file.parent.is_dir():
        raise typer.BadParameter(f"There is no directory {file.parent}.")
    return file


Plot = Annotated[
    Path | None, typer.Option(metavar="FILE.png", callback=_check_picture, help="Draw it into this file as well.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    add_commands(app, {sweep: TRAIN, sweeps: LOOK, compare: LOOK})


def sweep(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC.json|SWEEP",
            help="A sweep's spec, - for stdin; or one to look at: its id, the beginning of one, name, or `last`.",
        ),
    ],
    settings: Settings = None,
    seeds: Seeds = None,
    follow: Follow = False,
    timeout_s: TimeoutS = None,
    plot: Plot = None,
    show_all: Annotated[bool, typer.Option("--all", help="The whole leaderboard.")] = False,
    idempotency_key: Key = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a sweep, or look at one.

    Looking shows its leaderboard, and its path, verdicts or ablation so far. --set changes the base of a new one.
    """
    is_new = is_spec_file(spec)
    body = _read_spec(spec, settings or [], seeds) if is_new else {}
    if not is_new and (settings or seeds):
        raise typer.BadParameter(f"--set and --seeds change a spec before it is submitted; {spec} is not a file.")
    if plot and is_new:
        _check_plot(body, follow=follow)
    with open_client(timeout_s) as client:
        if is_new:
            body = upload_data(client, body, as_json=as_json)
            with making("sweep"):
                found = client.sweeps.create(body, idempotency_key=idempotency_key)
        else:
            found = find_sweep(client, spec)
        if follow:
            wait_for_sweep(found, timeout_s, as_json=as_json)
        elif is_new:
            print_state(found, as_json=as_json)
            return
        seen = show_sweep(found, as_json=as_json, show_all=show_all)
    if plot:
        _draw(found, view_of(found.spec), seen, plot)
    raise typer.Exit(1 if follow and found.state != "succeeded" else 0)


def sweeps(
    label: Annotated[
        list[str] | None, typer.Option(help="Only sweeps with this key:value; may be given again.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only this name.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    as_json: AsJSON = False,
) -> None:
    """List sweeps, the newest first."""
    with open_client() as client:
        found = client.sweeps.list(
            labels=read_labels(label) if label else None,
            name=name and given_text(name),
            page_size=min(limit + 1, 1000),
        )
        bodies = [one.body for one in islice(found, limit + 1)]
    if as_json:
        print_json(bodies[:limit])
    elif bodies:
        out.print(sweeps_table(bodies[:limit]))
        print_cut(len(bodies), limit, newest_first=True)
    else:
        print_none("sweeps", "regcore sweep SPEC.json", is_filtered=any((label, name)))


def compare(
    groups: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=JOB[,JOB]...|SWEEP",
            help="Groups of jobs that differ in their seeds alone; a sweep in a group is its best combination. "
            "Or one sweep, whose variants are compared.",
        ),
    ],
    metric: Annotated[
        str | None,
        typer.Option(help="The metric to compare. [default: test/loss; for a sweep its objective's, on test rows]"),
    ] = None,
    plot: Plot = None,
    as_json: AsJSON = False,
) -> None:
    """Compare groups of jobs.

    It prints how much they differ, and whether the difference is more than chance.
    """
    is_sweep = len(groups) == 1 and "=" not in groups[0]
    named = {} if is_sweep else _named_groups(groups)
    with open_client() as client:
        if is_sweep:
            comparison = find_sweep(client, groups[0], expected=_GROUPS).comparison(metric)
        else:
            jobs = {name: _job_ids(client, members) for name, members in named.items()}
            comparison = client.compare(jobs, metric or "test/loss")
    if as_json:
        print_json(comparison)
    else:
        print_comparison(comparison)
    if plot:
        draw_contrasts(contrasts_of_comparison(comparison), plot)


def is_spec_file(text: str) -> bool:
    """Whether the argument names a file or stdin, rather than a sweep on the server."""
    return text == "-" or Path(text).is_file() or "/" in text or text.endswith(".json")


def find_sweep(client: Client, text: str, expected: str = "a file, or a sweep's id, name or `last`") -> Sweep:
    """Return the sweep that the user means. If there is none, and the text does not look like an id, say `expected`."""
    try:
        return client.sweeps.get(find_sweep_id(client, text))
    except NotFoundError as error:
        if is_meant_as_id(text):
            raise
        raise typer.BadParameter(f"expected {expected}; received {text!r:.80}, which is neither.") from error


def _read_spec(source: str, settings: list[str], num_seeds: int | None) -> JSONObject:
    body = read_spec(source)
    if not is_sweep_spec(body) and "model" in body:
        raise typer.BadParameter(
            f"{source} is the spec of a job: it has a model, and no base. `regcore submit {source}` submits it."
        )
    return change_spec({"base": {}} | body, settings, num_seeds)


_GROUPS = "NAME=JOB[,JOB]... for each group, or one sweep"


def _named_groups(groups: list[str]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for group in groups:
        name, _, members = given_text(group).partition("=")
        texts = [member for member in members.split(",") if member]
        if not name or not texts:
            raise typer.BadParameter(f"expected {_GROUPS}; received {group!r:.80}.")
        if name in named:
            raise typer.BadParameter(f"expected a name of its own for each group, received {name!r} twice.")
        named[name] = texts
    if len(named) == 1:
        raise typer.BadParameter("expected two groups or more.")
    return named


def _job_ids(client: Client, members: list[str]) -> list[str]:
    """Return the ids of a group's jobs; a sweep stands for the jobs of its best combination."""
    found = [find_id(client, member) for member in members]
    return [job_id for one in found for job_id in (_best_jobs(client, one) if is_sweep_id(one) else [one])]


def _best_jobs(client: Client, sweep_id: str) -> list[str]:
    best = client.sweeps.get(sweep_id).best
    if not best:
        raise typer.BadParameter(f"{sweep_id} has no best combination yet: none of its members has succeeded.")
    jobs: list[str] = best["job_ids"]
    return jobs


def _check_plot(spec: JSONObject, *, follow: bool) -> None:
    if not follow:
        raise typer.BadParameter("--plot needs --follow: there is nothing to draw before the sweep has run.")
    if view_of(spec) is None:
        raise typer.BadParameter("--plot needs a sweep along one numeric axis, with variants, or an ablation.")


def _draw(found: Sweep, view: View | None, seen: JSONObject | None, file: Path) -> None:
    match view:
        case "path" if seen and curves_of(seen, "loss"):
            draw_path(seen, file, title=found.name or found.id, axis=axis_of(found))
        case "comparison" if seen:
            draw_contrasts(contrasts_of_comparison(seen), file)
        case "ablation" if seen:
            draw_contrasts(contrasts_of_ablation(seen), file)
        case _:
            raise typer.BadParameter("--plot: there is nothing to draw of this sweep.")
