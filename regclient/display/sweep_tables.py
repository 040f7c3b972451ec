"""Tables of sweeps on a terminal: leaderboard, path and verdicts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.markup import escape

from regclient.display.output import WIDE_TABLE_WIDTH, format_number, styled_state
from regclient.display.spec_changes import format_setting
from regclient.display.sweep_numbers import VERDICTS, Contrast, Contrasts, curves_of, marked_values, view_of
from regclient.display.sweep_words import axis_label, contrast_sentences
from regclient.display.tables import Column, FittedTable

NUM_LEADERS = 10
BAR_WIDTH = 17
VERDICT_STYLES = {"helps": "green", "hurts": "red", "no_measurable_effect": "dim"}
_PATH_COLUMNS = {"train/loss": 3, "validation/loss": 0, "test/loss": 2, "test/accuracy": 1, "sparsity": 4}
"""The columns of a path, and their `need`: in a narrow window the largest is left out first."""
_NARROW_WIDTH = 60


def sweeps_table(sweeps: Iterable[Mapping[str, Any]]) -> FittedTable:
    """Return a table with a row for each sweep: id, name, state, and how many members have ended."""
    columns = ids, names, states, members = (
        Column("id"),
        Column("name", need=2, folds=True),
        Column("state", need=1),
        Column("members", need=3, is_number=True),
    )
    for sweep in sweeps:
        counts = sweep.get("counts") or {}
        num_ended = sum(counts.get(state, 0) for state in ("succeeded", "failed", "cancelled"))
        ids.cells.append(sweep["id"])
        names.cells.append(escape(sweep.get("name") or ""))
        states.cells.append(styled_state(sweep["state"]))
        members.cells.append(f"{num_ended:,} of {sweep['num_members']:,}")
    return FittedTable(columns)


def leaderboard_cut(sweep: Mapping[str, Any], *, show_all: bool) -> str:
    """Return how many candidates the leaderboard's table shows, and how to see more; "" if it shows all."""
    num_seeds = len(sweep["spec"].get("seeds") or ()) or 1
    num_ranked = len(sweep["leaderboard"])
    num_candidates = max(num_ranked, sweep["num_members"] // num_seeds)
    num_shown = num_ranked if show_all else min(num_ranked, NUM_LEADERS)
    if num_shown == num_candidates:
        return ""
    remedy = "--all shows more" if num_shown < num_ranked else "the server ranks no more"
    return f"{num_shown:,} of {num_candidates:,} shown; {remedy}."


def leaderboard_table(
    sweep: Mapping[str, Any], *, width: int = WIDE_TABLE_WIDTH, show_all: bool = False
) -> FittedTable:
    """Return a table of the best candidates: their settings, and the objective with its interval over seeds."""
    leaders = sweep["leaderboard"] if show_all else sweep["leaderboard"][:NUM_LEADERS]
    is_ablation = view_of(sweep["spec"]) == "ablation"  # the names of its variants already say what is left out
    has_variants = any(leader.get("variant") for leader in leaders)
    objective = (sweep["spec"].get("objective") or {}).get("metric", "validation/loss")
    scores = [leader["objective"] for leader in leaders]
    variants = Column("variant", [escape(leader.get("variant") or "–") for leader in leaders], folds=True)
    means = [_with_interval(score["mean"], score.get("low"), score.get("high"), width=width) for score in scores]
    return FittedTable(
        [
            Column("#", [str(leader["rank"]) for leader in leaders], is_number=True),
            *([variants] if has_variants else []),
            *([] if is_ablation else _settings(leaders, sweep["spec"], has_variants=has_variants, width=width)),
            Column(escape(objective), means, is_number=True),
            Column("seeds", [str(score["num"]) for score in scores], need=2, is_number=True),
            Column("first job", [next(iter(leader["job_ids"]), "–") for leader in leaders], need=3),
        ]
    )


def _settings(
    leaders: Sequence[Mapping[str, Any]], spec: Mapping[str, Any], *, has_variants: bool, width: int
) -> list[Column]:
    """Return a column for each axis, with the value of each candidate."""
    columns = []
    for pointer in dict.fromkeys(pointer for leader in leaders for pointer in leader.get("values") or {}):
        # With variants, the same pointer may mean different regularizers, so no label in words is certain.
        label = pointer if has_variants else axis_label(pointer, spec.get("base") or {})
        place, slash, field = label.rpartition("/")
        header = label if width >= WIDE_TABLE_WIDTH or not place else f"{place}\n{slash}{field}"
        known = [leader.get("values") or {} for leader in leaders]
        cells = [escape(format_setting(values[pointer])) if pointer in values else "–" for values in known]
        columns.append(Column(escape(header), cells, folds=True))
    return columns


def path_table(path: Mapping[str, Any], label: str = "value") -> FittedTable:
    """Return a table with a row for each value of the axis: losses, test accuracy, zeros; notable values are marked."""
    known = {curve.name: curve for metric in ("loss", "accuracy", "sparsity") for curve in curves_of(path, metric)}
    marks = {value: names.replace("one standard error", "1 s.e.") for names, value in marked_values(path).items()}
    values = [point["value"] for point in path["points"]]
    curves = [
        Column(_heading(name), [_finite(mean) for mean in known[name].means], _PATH_COLUMNS[name], is_number=True)
        for name in _PATH_COLUMNS
        if name in known
    ]
    return FittedTable(
        [
            Column(escape(label.replace(" ", "\n", 1)), [f"{value:.3g}" for value in values], is_number=True),
            *curves,
            Column("", [marks.get(value, "") for value in values]),
        ]
    )


def groups_table(comparison: Mapping[str, Any]) -> FittedTable:
    """Return a table with a row for each group: its mean with the interval over seeds."""
    groups = comparison["groups"]
    means = [_with_interval(group["mean"], group["low"], group["high"]) for group in groups]
    return FittedTable(
        [
            Column("group", [escape(group["name"]) for group in groups], folds=True),
            Column(escape(comparison["metric"]), means, is_number=True),
            Column("jobs", [str(group["num"]) for group in groups], need=1, is_number=True),
        ]
    )


def contrasts_table(contrasts: Contrasts) -> FittedTable:
    """Return a table with a row for each contrast: difference, interval as numbers and as a bar, verdict."""
    rows = contrasts.rows
    ends = [abs(end) for row in rows for end in (row.value, row.low, row.high) if end is not None]
    limit = max(ends, default=0.0)
    differences = [_with_interval(row.value, row.low, row.high, signed=True) for row in rows]
    p_values = ["–" if row.p_value is None else f"{row.p_value:.2g}" for row in rows]
    return FittedTable(
        [
            Column("", [escape(row.label) for row in rows], folds=True),
            Column(escape("[95 %]"), differences, need=1, is_number=True),
            Column("0".center(BAR_WIDTH), [interval_bar(row, limit) for row in rows], need=3),
            Column("p", p_values, need=2, is_number=True),
            Column("verdict", [_verdict(row) for row in rows], folds=True),
        ],
        title=escape(contrasts.title),
        caption=escape("\n".join(contrast_sentences(contrasts))),
    )


def _verdict(row: Contrast) -> str:
    style, verdict = VERDICT_STYLES.get(row.verdict, ""), VERDICTS.get(row.verdict, row.verdict)
    return f"[{style}]{verdict}[/]" if style else escape(verdict)


def interval_bar(row: Contrast, limit: float) -> str:
    """Draw the interval in a line from −limit to limit, with 0 in the middle."""
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


def _finite(mean: float) -> str:
    return format_number(mean if math.isfinite(mean) else None)


def _with_interval(value: Any, low: Any, high: Any, *, signed: bool = False, width: int = WIDE_TABLE_WIDTH) -> str:
    shown = format_number(value, 3 if signed else 4)
    if signed and value is not None and value >= 0:
        shown = f"+{shown}"
    gap = " " if width >= _NARROW_WIDTH else "\n"
    return shown if low is None or high is None else f"{shown}{gap}[{format_number(low, 3)}, {format_number(high, 3)}]"


def _heading(name: str) -> str:
    split, _, metric = name.rpartition("/")
    return "zeros" if name == "sparsity" else f"{split}\n{metric}"
