"""What a report says of parts of its rows on a terminal: of groups, of the spread of their errors, of the worst."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from regclient.display.output import format_number
from regclient.display.sweep_numbers import SPLITS
from regclient.display.tables import Column, FittedTable

MAX_GROUPS: Final = 30
"""The most groups that are listed; of more, those with the largest loss."""
MAX_WORST: Final = 5
"""The most single rows that are listed."""
_QUANTILES: Final = {"p50": "half below", "p95": "95 % below", "p99": "99 % below", "max": "largest"}


def row_parts(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return the tables of groups, of reconstruction errors and of the worst rows, as far as the report has them."""
    return [*_groups(report.get("groups") or {}), *_spread(report), *_worst(report.get("worst_rows") or {})]


def value_with_interval(cell: Mapping[str, Any] | None) -> str:
    """Return such as `0.93 [0.9, 0.95]`."""
    if not cell:
        return format_number(None)
    value, low, high = (cell.get(name) for name in ("value", "low", "high"))
    shown = format_number(value)
    return shown if low is None or high is None else f"{shown} [{format_number(low, 3)}, {format_number(high, 3)}]"


def _split_of(found: Mapping[str, Any]) -> str | None:
    """The split that training used least."""
    return next((name for name in reversed(SPLITS) if found.get(name)), None)


def _groups(groups: Mapping[str, Any]) -> list[RenderableType]:
    splits = groups.get("splits") or {}
    split = _split_of(splits)
    if split is None:
        return []
    told, caption = splits[split]["groups"], []
    if len(told) > MAX_GROUPS:
        caption.append(f"The {MAX_GROUPS} of {len(told):,} groups with the largest loss.")
        told = sorted(told, key=lambda one: -(one["metrics"]["loss"]["value"] or 0.0))[:MAX_GROUPS]
    if splits[split].get("num_left_out"):
        caption.append(f"The report lists the largest groups; {splits[split]['num_left_out']:,} more have fewer rows.")
    names = [str(one["group"]) or "(empty)" for one in told]
    columns = [
        Column(escape(f"{groups['column']} ({split})"), [escape(name) for name in names], folds=True),
        Column("rows", [format_number(one["num_rows"]) for one in told], is_number=True),
    ]
    for need, name in enumerate(dict.fromkeys(name for one in told for name in one["metrics"])):
        cells = [value_with_interval(one["metrics"].get(name)) for one in told]
        columns.append(Column(escape(name), cells, need, is_number=True))
    return [FittedTable(columns, caption=escape(" ".join(caption)) or None)]


def _spread(report: Mapping[str, Any]) -> list[RenderableType]:
    splits = (report.get("reconstruction_errors") or {}).get("splits") or {}
    known = {name: splits[name]["quantiles"] for name in SPLITS if (splits.get(name) or {}).get("quantiles")}
    if not known:
        return []
    table = Table(box=None, header_style="bold")
    table.add_column("error of a row")
    for title in _QUANTILES.values():
        table.add_column(title, justify="right", no_wrap=True)
    for name, quantiles in known.items():
        table.add_row(escape(name), *(format_number(quantiles.get(quantile)) for quantile in _QUANTILES))
    return [table]


def _worst(worst: Mapping[str, Any]) -> list[RenderableType]:
    splits = worst.get("splits") or {}
    split = _split_of({name: one["rows"] for name, one in splits.items()})
    if split is None:
        return []
    rows: Sequence[Mapping[str, Any]] = splits[split]["rows"][:MAX_WORST]
    place = "row" if splits[split].get("numbered_in") == "data" else "row of the split"
    table = Table(box=None, header_style="bold")
    table.add_column(escape(f"worst {place} ({split})"), justify="right")
    table.add_column(escape(str(worst.get("metric"))), justify="right", no_wrap=True)
    has_answers = any("target" in row for row in rows)
    has_files = any("file" in row for row in rows)
    if has_files:
        table.add_column("file", overflow="fold")
    for title in ("target", "prediction") if has_answers else ():
        table.add_column(title, overflow="fold")
    for row in rows:
        answers = [escape(_said(row.get(name))) for name in ("target", "prediction")] if has_answers else []
        file = [escape(str(row.get("file", "")))] if has_files else []
        table.add_row(str(row["row"]), format_number(row.get("value")), *file, *answers)
    return [table]


def _said(answer: Any) -> str:
    return answer if isinstance(answer, str) else format_number(answer)
