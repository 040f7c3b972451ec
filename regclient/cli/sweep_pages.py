"""A sweep's pages on a terminal: its description, its progress, and its results so far."""

from collections.abc import Iterable
from typing import Any

import typer
from rich.markup import escape

from regclient.cli.following import following
from regclient.cli.options import print_state
from regclient.display.job_tables import details_table, labels_text, time_text
from regclient.display.output import err, out, print_json, styled_state
from regclient.display.progress import SweepLines
from regclient.display.spec_changes import NOTHING, format_setting, settings_of
from regclient.display.sweep_numbers import (
    View,
    contrasts_of_ablation,
    contrasts_of_comparison,
    curves_of,
    marked_values,
    view_of,
)
from regclient.display.sweep_tables import contrasts_table, groups_table, leaderboard_cut, leaderboard_table, path_table
from regclient.display.sweep_words import axis_label, path_sentences
from regclient.display.terminal_plot import MAX_WIDTH, line_plot
from regclient.errors import ConflictError
from regclient.http.answers import JSONObject
from regclient.sweep import Sweep


def show_or_follow_sweep(sweep: Sweep, *, follow: bool, timeout_s: float | None, as_json: bool) -> None:
    """Print the state of a sweep, or with `follow` wait for its end and print all of it."""
    if not follow:
        print_state(sweep, as_json=as_json)
        return
    wait_for_sweep(sweep, timeout_s, as_json=as_json)
    show_sweep(sweep, as_json=as_json)
    raise typer.Exit(0 if sweep.state == "succeeded" else 1)


def wait_for_sweep(sweep: Sweep, timeout_s: float | None, *, as_json: bool) -> None:
    """Wait until a sweep has ended, successfully or not, and show its progress to people."""
    with following(sweep):
        sweep.wait(timeout_s, progress=False if as_json else err.is_live or SweepLines(err).show, check=False)


def axis_of(sweep: Sweep) -> str:
    """Return the label of a sweep's only axis."""
    return axis_label(sweep.spec["axes"][0]["pointer"], sweep.spec.get("base") or {})


def show_sweep(sweep: Sweep, *, as_json: bool, show_all: bool = False) -> JSONObject | None:
    """Print the results of a sweep so far. Return its path, comparison or ablation; None if there is none yet.

    Args:
        sweep: A sweep as last fetched.
        as_json: Print one JSON object, the sweep with the view under its name.
        show_all: Print the whole leaderboard.
    """
    view = view_of(sweep.spec)
    seen, why_not = _fetch(sweep, view)
    if as_json:
        print_json(sweep.body | ({view: seen} if view and seen is not None else {}))
        return seen
    counts = "  ".join(f"{number:,} {styled_state(state)}" for state, number in sweep.counts.items() if number)
    out.print(f"{sweep.id}  {styled_state(sweep.state)}   {counts}", highlight=False)
    if sweep.leaderboard:
        out.print(leaderboard_table(sweep.body, width=out.width, show_all=show_all))
        _print_plain(leaderboard_cut(sweep.body, show_all=show_all))
    if seen is not None:
        _print_view(sweep, view, seen)
    _print_plain(why_not)
    return seen


def print_facts(sweep: Sweep) -> None:
    """Print a sweep's description: name, labels, times, and what it varies."""
    out.print(details_table(_facts(sweep)))


def print_comparison(comparison: JSONObject) -> None:
    """Print groups, and the differences between them."""
    out.print(groups_table(comparison))
    out.print(contrasts_table(contrasts_of_comparison(comparison)))


def _fetch(sweep: Sweep, view: View | None) -> tuple[JSONObject | None, str]:
    """Return the JSON of the view, and "", or None and the reason why there is nothing to show."""
    try:
        match view:
            case "path":
                return sweep.path(), ""
            case "comparison":
                return sweep.comparison(), ""
            case "ablation":
                return sweep.ablation(), ""
    except ConflictError as error:
        if not sweep.done:
            return None, f"The {view} comes once all members have ended: `regcore sweep {sweep.id} --follow` waits."
        return None, f"No {view}: {error.problem.get('detail') or error}"
    return None, ""


def _print_view(sweep: Sweep, view: View | None, seen: JSONObject) -> None:
    match view:
        case "path":
            _print_path(seen, axis_of(sweep))
        case "comparison":
            print_comparison(seen)
        case "ablation":
            out.print(contrasts_table(contrasts_of_ablation(seen)))


def _print_path(path: JSONObject, axis: str) -> None:
    out.print(path_table(path, axis))
    curves = curves_of(path, "loss")
    if curves:
        out.print(line_plot(curves, marked_values(path), axis=axis, width=min(out.width, MAX_WIDTH)))
    for sentence in path_sentences(path, axis):
        _print_plain(sentence)


def _print_plain(text: str) -> None:
    if text:
        out.print(text, markup=False, highlight=False)


def _facts(sweep: Sweep) -> Iterable[tuple[str, str]]:
    spec = sweep.spec
    yield "id", sweep.id
    yield "name", escape(sweep.name or NOTHING)
    yield "labels", labels_text(sweep.labels)
    for field in ("created_at", "started_at", "finished_at"):
        if field in sweep.body:
            yield field.removesuffix("_at"), time_text(sweep.body[field])
    yield "members", f"{sweep.num_members:,}"
    for axis in spec.get("axes") or []:
        yield "axis", escape(f"{axis['pointer']}  {_axis_text(axis)}")
    for variant in spec.get("variants") or []:
        yield "variant", escape(variant["name"])
    yield "seeds", escape(", ".join(map(str, spec.get("seeds") or [])) or NOTHING)
    if spec.get("strategy"):
        yield "strategy", escape(format_setting(spec["strategy"]))
    if spec.get("objective"):
        yield "objective", escape(" ".join(str(part) for part in spec["objective"].values() if part))
    for index, (pointer, setting) in enumerate(settings_of(spec.get("base") or {}).items()):
        yield "" if index else "base", escape(f"{pointer}  {setting}")


def _axis_text(axis: dict[str, Any]) -> str:
    if axis.get("range"):
        return format_setting(axis["range"])
    return ", ".join(format_setting(value) for value in axis.get("values") or [])
