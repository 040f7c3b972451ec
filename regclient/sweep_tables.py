"""A sweep on a terminal: leaderboard, path and verdicts."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from regclient.output import WIDE_TABLE_WIDTH, format_number, styled_state
from regclient.spec_changes import format_setting
from regclient.sweep_views import VERDICTS, Contrast, Contrasts, curves_of, marked_values, view_of

NUM_LEADERS = 10
BAR_WIDTH = 17
VERDICT_STYLES = {"helps": "green", "hurts": "red", "no_measurable_effect": "dim"}
_PATH_COLUMNS = ("train/loss", "validation/loss", "test/loss", "test/accuracy", "sparsity")


def sweeps_table(sweeps: Iterable[Mapping[str, Any]]) -> Table:
    """A line per sweep: id, name, state, how many members have ended."""
    table = Table(box=None, header_style="bold")
    for column, style in {"id": {"no_wrap": True}, "name": {"overflow": "fold"}, "state": {"no_wrap": True}}.items():
        table.add_column(column, **style)  # type: ignore[arg-type] # rich's own options
    table.add_column("members", justify="right", no_wrap=True)
    for sweep in sweeps:
        counts = sweep.get("counts") or {}
        num_ended = sum(counts.get(state, 0) for state in ("succeeded", "failed", "cancelled"))
        members = f"{num_ended:,} of {sweep['num_members']:,}"
        table.add_row(sweep["id"], escape(sweep.get("name") or ""), styled_state(sweep["state"]), members)
    return table


def leaderboard_cut(sweep: Mapping[str, Any], *, show_all: bool) -> str:
    """How many candidates a sweep has that its table leaves out, and what shows them; nothing if it leaves out none."""
    num_seeds = len(sweep["spec"].get("seeds") or ()) or 1
    num_ranked = len(sweep["leaderboard"])
    num_candidates = max(num_ranked, sweep["num_members"] // num_seeds)
    num_shown = num_ranked if show_all else min(num_ranked, NUM_LEADERS)
    if num_shown == num_candidates:
        return ""
    remedy = "--all shows more" if num_shown < num_ranked else "the server ranks no more"
    return f"{num_shown:,} of {num_candidates:,} shown; {remedy}."


def leaderboard_table(sweep: Mapping[str, Any], *, width: int = WIDE_TABLE_WIDTH, show_all: bool = False) -> Table:
    """The best candidates: what they are, and the objective with its interval over seeds."""
    leaders = sweep["leaderboard"] if show_all else sweep["leaderboard"][:NUM_LEADERS]
    is_ablation = view_of(sweep["spec"]) == "ablation"  # whose variants are named after what they leave out
    pointers = list(dict.fromkeys(pointer for leader in leaders for pointer in leader.get("values") or {}))
    pointers = [] if is_ablation else pointers
    has_variants = any(leader.get("variant") for leader in leaders)
    objective = (sweep["spec"].get("objective") or {}).get("metric", "validation/loss")
    table = Table(box=None, header_style="bold")
    table.add_column("#", justify="right", no_wrap=True)
    if has_variants:
        table.add_column("variant", overflow="fold")
    for pointer in pointers:
        place, _, field = pointer.rpartition("/")
        table.add_column(escape(pointer if width >= WIDE_TABLE_WIDTH else f"{place}\n/{field}"), overflow="fold")
    table.add_column(escape(objective), justify="right", no_wrap=True)
    table.add_column("seeds", justify="right", no_wrap=True)
    if width >= WIDE_TABLE_WIDTH:
        table.add_column("first job", no_wrap=True)
    for leader in leaders:
        values = leader.get("values") or {}
        score = leader["objective"]
        table.add_row(
            str(leader["rank"]),
            *([escape(leader.get("variant") or "–")] if has_variants else []),
            *(escape(format_setting(values[pointer])) if pointer in values else "–" for pointer in pointers),
            _with_interval(score["mean"], score.get("low"), score.get("high")),
            str(score["num"]),
            *(leader["job_ids"][:1] if width >= WIDE_TABLE_WIDTH else []),
        )
    return table


def path_table(path: Mapping[str, Any]) -> Table:
    """A line per value of the axis: losses, accuracy on the test rows, zeros; which value is which."""
    known = {curve.name: curve for metric in ("loss", "accuracy", "sparsity") for curve in curves_of(path, metric)}
    curves = [known[name] for name in _PATH_COLUMNS if name in known]
    marks = {value: names.replace("one standard error", "1 s.e.") for names, value in marked_values(path).items()}
    table = Table(box=None, header_style="bold")
    table.add_column("value", justify="right", no_wrap=True)
    for curve in curves:
        table.add_column(_heading(curve.name), justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for index, point in enumerate(path["points"]):
        means = [curve.means[index] for curve in curves]
        cells = [format_number(mean if math.isfinite(mean) else None) for mean in means]
        table.add_row(f"{point['value']:.3g}", *cells, marks.get(point["value"], ""))
    return table


def groups_table(comparison: Mapping[str, Any]) -> Table:
    """A line per group: its mean with the interval over seeds."""
    table = Table(box=None, header_style="bold")
    table.add_column("group", overflow="fold")
    table.add_column(escape(comparison["metric"]), justify="right", no_wrap=True)
    table.add_column("jobs", justify="right", no_wrap=True)
    for group in comparison["groups"]:
        mean = _with_interval(group["mean"], group["low"], group["high"])
        table.add_row(escape(group["name"]), mean, str(group["num"]))
    return table


def contrasts_table(contrasts: Contrasts) -> Table:
    """A line per contrast: the difference, its interval as numbers and as a bar around 0, and the verdict."""
    ends = [abs(end) for row in contrasts.rows for end in (row.value, row.low, row.high) if end is not None]
    limit = max(ends, default=0.0)
    table = Table(
        box=None, header_style="bold", title=contrasts.title, caption=_caption(contrasts), caption_justify="left"
    )
    table.add_column("", overflow="fold")
    table.add_column("[95 %]", justify="right", no_wrap=True)
    table.add_column("0".center(BAR_WIDTH), no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for row in contrasts.rows:
        style = VERDICT_STYLES.get(row.verdict, "")
        verdict = VERDICTS.get(row.verdict, row.verdict)
        table.add_row(
            escape(row.label),
            _with_interval(row.value, row.low, row.high, signed=True),
            interval_bar(row, limit),
            "–" if row.p_value is None else f"{row.p_value:.2g}",
            f"[{style}]{verdict}[/]" if style else escape(verdict),
        )
    return table


def interval_bar(row: Contrast, limit: float) -> str:
    """The interval on a line from −limit to limit, with 0 in its middle."""
    bar = [" "] * BAR_WIDTH
    bar[BAR_WIDTH // 2] = "│"
    if row.value is None or limit == 0:
        return "".join(bar)

    def place(value: float) -> int:
        return round((value / limit + 1) / 2 * (BAR_WIDTH - 1))

    if row.low is not None and row.high is not None:
        first, last = place(row.low), place(row.high)
        bar[first : last + 1] = "─" * (last + 1 - first)
        bar[first], bar[last] = "├", "┤"
    bar[place(row.value)] = "●"
    return "".join(bar)


def _caption(contrasts: Contrasts) -> str:
    labels: dict[str, list[str]] = {}
    for row in contrasts.rows:
        if row.note:
            labels.setdefault(row.note, []).append(row.label)
    notes = [
        note if len(named) == len(contrasts.rows) else f"{', '.join(named)}: {note}" for note, named in labels.items()
    ]
    return escape("\n".join([f"{contrasts.axis}; p is corrected for all of them.", *notes]))


def _with_interval(value: Any, low: Any, high: Any, *, signed: bool = False) -> str:
    shown = f"{value:+.3g}" if signed and value is not None else format_number(value)
    return shown if low is None or high is None else f"{shown} [{low:.3g}, {high:.3g}]"


def _heading(name: str) -> str:
    split, _, metric = name.rpartition("/")
    return "zeros" if name == "sparsity" else f"{split}\n{metric}"
