"""The commands about many jobs: sweep, sweeps, compare."""

from pathlib import Path
from typing import Annotated

import typer

from regclient.cli_jobs import AsJSON, Follow, Key, TimeoutS, open_client, print_state, read_object
from regclient.following import following, making
from regclient.output import err, out, print_json, styled_state
from regclient.progress import SweepLines
from regclient.sweep import Sweep
from regclient.sweep_plots import draw_contrasts, draw_path
from regclient.sweep_tables import contrasts_table, groups_table, leaderboard_table, path_table, sweeps_table
from regclient.sweep_views import (
    View,
    contrasts_of_ablation,
    contrasts_of_comparison,
    curves_of,
    marked_values,
    view_of,
)
from regclient.sweep_words import axis_label, path_sentences
from regclient.terminal_plot import MAX_WIDTH, line_plot
from regclient.transport import JSONObject

PICTURES = (".png", ".svg", ".pdf")


def _check_picture(file: Path | None) -> Path | None:
    """Refuse what could not be written before anything is waited for."""
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
    for command in (sweep, sweeps, compare):
        app.command()(command)


def sweep(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC.json|SWEEP", help="A sweep's spec, - for stdin, or the id of one to look at.")
    ],
    follow: Follow = False,
    timeout_s: TimeoutS = None,
    plot: Plot = None,
    idempotency_key: Key = None,
    as_json: AsJSON = False,
) -> None:
    """Submit a sweep, or look at one: leaderboard, and path, verdicts or ablation."""
    is_id = spec.startswith("swp_") and not Path(spec).exists()
    body = {} if is_id else read_object(spec)
    if plot and not is_id:
        _check_plot(body, follow=follow)
    with open_client() as client:
        if is_id:
            found = client.sweeps.get(spec)
        else:
            with making("sweep"):
                found = client.sweeps.create(body, idempotency_key=idempotency_key)
        if follow:
            with following(found):
                found.wait(timeout_s, progress=False if as_json else err.is_live or SweepLines(err).show)
        elif not is_id:
            print_state(found, as_json=as_json)
            return
        view = view_of(found.spec)
        seen = _fetch(found, view)
    if as_json:
        print_json(found.body | ({view: seen} if view else {}))
    else:
        _print_sweep(found, view, seen)
    if plot:
        _draw(found, view, seen, plot)
    raise typer.Exit(1 if follow and found.state != "succeeded" else 0)


def sweeps(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJSON = False,
) -> None:
    """List sweeps, the newest first."""
    with open_client() as client:
        found = client.sweeps.list(page_size=min(limit, 1000))
        bodies = [one.body for one, _ in zip(found, range(limit), strict=False)]
    if as_json:
        print_json(bodies)
    elif bodies:
        out.print(sweeps_table(bodies))
    else:
        out.print("No sweeps. `regcore sweep SPEC.json` makes one.", highlight=False)


def compare(
    groups: Annotated[
        list[str], typer.Argument(metavar="NAME=JOB[,JOB]...", help="Groups of jobs that differ in their seeds alone.")
    ],
    metric: Annotated[str, typer.Option(help="What is compared.")] = "test/loss",
    plot: Plot = None,
    as_json: AsJSON = False,
) -> None:
    """Say which groups of jobs differ, by how much, and whether that is more than chance."""
    named = _named_groups(groups)
    with open_client() as client:
        comparison = client.compare(named, metric)
    if as_json:
        print_json(comparison)
    else:
        _print_comparison(comparison)
    if plot:
        draw_contrasts(contrasts_of_comparison(comparison), plot)


def _named_groups(groups: list[str]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for group in groups:
        name, _, jobs = group.partition("=")
        ids = [job for job in jobs.split(",") if job]
        if not name or not ids:
            raise typer.BadParameter(f"expected NAME=JOB[,JOB]..., received {group!r}.")
        if name in named:
            raise typer.BadParameter(f"expected a name of its own for each group, received {name!r} twice.")
        named[name] = ids
    if len(named) == 1:
        raise typer.BadParameter("expected two groups or more.")
    return named


def _check_plot(spec: JSONObject, *, follow: bool) -> None:
    if not follow:
        raise typer.BadParameter("--plot needs --follow: there is nothing to draw before the sweep has run.")
    if view_of(spec) is None:
        raise typer.BadParameter("--plot needs a sweep along one numeric axis, with variants, or an ablation.")


def _fetch(found: Sweep, view: View | None) -> JSONObject:
    match view:
        case "path":
            return found.path()
        case "comparison":
            return found.comparison()
        case "ablation":
            return found.ablation()
    return {}


def _print_sweep(found: Sweep, view: View | None, seen: JSONObject) -> None:
    counts = "  ".join(f"{number:,} {styled_state(state)}" for state, number in found.counts.items() if number)
    out.print(f"{found.id}  {styled_state(found.state)}   {counts}", highlight=False)
    if found.leaderboard:
        out.print(leaderboard_table(found.body, width=out.width))
    match view:
        case "path":
            _print_path(seen, _axis_of(found))
        case "comparison":
            _print_comparison(seen)
        case "ablation":
            out.print(contrasts_table(contrasts_of_ablation(seen)))


def _print_comparison(comparison: JSONObject) -> None:
    out.print(groups_table(comparison))
    out.print(contrasts_table(contrasts_of_comparison(comparison)))


def _print_path(path: JSONObject, axis: str) -> None:
    out.print(path_table(path, axis))
    curves = curves_of(path, "loss")
    if curves:
        out.print(line_plot(curves, marked_values(path), axis=axis, width=min(out.width, MAX_WIDTH)))
    for sentence in path_sentences(path, axis):
        out.print(sentence, markup=False, highlight=False)


def _axis_of(found: Sweep) -> str:
    return axis_label(found.spec["axes"][0]["pointer"], found.spec.get("base") or {})


def _draw(found: Sweep, view: View | None, seen: JSONObject, file: Path) -> None:
    match view:
        case "path" if curves_of(seen, "loss"):
            draw_path(seen, file, title=found.name or found.id, axis=_axis_of(found))
        case "comparison":
            draw_contrasts(contrasts_of_comparison(seen), file)
        case "ablation":
            draw_contrasts(contrasts_of_ablation(seen), file)
        case _:
            raise typer.BadParameter("--plot: there is nothing to draw of this sweep.")
