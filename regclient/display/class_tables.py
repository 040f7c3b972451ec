"""A classification by class on a terminal: precision, recall and F1 of each, and what is taken for what."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from regclient.display.output import format_number
from regclient.display.sweep_numbers import SPLITS
from regclient.display.tables import Column, FittedTable

MAX_CLASSES: Final = 30
"""The most classes that are listed; of more, those with the lowest F1."""
MAX_CONFUSED: Final = 12
"""The most classes whose confusion fits on a terminal."""
MAX_PAIRS: Final = 10
"""The most pairs that are told of more classes."""


def class_parts(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return the table per class and the confusion of the split that training used least; nothing for a regression."""
    by_split = report.get("classes") or {}
    split = next((name for name in reversed(SPLITS) if by_split.get(name)), None)
    if split is None:
        return []
    rows = by_split[split]
    parts: list[RenderableType] = [_class_table(rows, split, report.get("positive_class"))]
    if len(rows) > MAX_CLASSES:
        left_out = report.get("num_classes_left_out") or 0
        among = f" The report lists the largest; {left_out:,} more have few rows." if left_out else ""
        parts.append(f"The {MAX_CLASSES} of {len(rows):,} classes with the lowest F1.{among}")
    confusion = (report.get("confusion_matrix") or {}).get(split)
    pairs = (report.get("most_confused") or {}).get(split)
    if confusion and len(confusion["labels"]) <= MAX_CONFUSED:
        parts.append(_confusion_table(confusion, split))
    elif pairs:
        parts.append(_pairs_table(pairs[:MAX_PAIRS], split))
    return parts


def _class_table(rows: Sequence[Mapping[str, Any]], split: str, positive: str | None) -> FittedTable:
    if len(rows) > MAX_CLASSES:
        rows = sorted(rows, key=lambda row: row["f1"] or 0.0)[:MAX_CLASSES]
    labels = [str(row["label"]) for row in rows]
    said = [f"{label} (the positive class)" if label == positive else label for label in labels]
    columns = [Column(escape(f"class ({split})"), [escape(one) for one in said], folds=True)]
    for name, field, need in (("precision", "precision", 2), ("recall", "recall", 2), ("F1", "f1", 0)):
        columns.append(Column(name, [format_number(row.get(field)) for row in rows], need, is_number=True))
    if any("intervals" in row for row in rows):
        columns.append(Column("[95 %]", [_interval((row.get("intervals") or {}).get("f1")) for row in rows], 4))
    columns.append(Column("rows", [format_number(row.get("support")) for row in rows], is_number=True))
    if any(row.get("error_share") is not None for row in rows):
        shares = (row.get("error_share") for row in rows)
        cells = [format_number(None) if share is None else f"{100 * share:.3g} %" for share in shares]
        columns.append(Column("errors", cells, 3, is_number=True))
        columns.append(Column("taken for", [_taken_for(row) for row in rows], 3, folds=True))
    return FittedTable(columns)


def _interval(ends: Mapping[str, Any] | None) -> str:
    return "" if not ends else f"[{format_number(ends['low'], 3)}, {format_number(ends['high'], 3)}]"


def _taken_for(row: Mapping[str, Any]) -> str:
    wrong = row.get("confused_with")
    return format_number(None) if not wrong else escape(f"{wrong['label']} ({wrong['num_rows']:,})")


def _confusion_table(confusion: Mapping[str, Any], split: str) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(escape(f"true ({split}) \\ predicted"), overflow="fold")
    for label in confusion["labels"]:
        table.add_column(escape(str(label)), justify="right", overflow="fold")
    for place, (label, counts) in enumerate(zip(confusion["labels"], confusion["counts"], strict=True)):
        cells = [f"[bold]{count:,}[/]" if place == column else f"{count:,}" for column, count in enumerate(counts)]
        table.add_row(escape(str(label)), *cells)
    return table


def _pairs_table(pairs: Sequence[Mapping[str, Any]], split: str) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(escape(f"true ({split})"), overflow="fold")
    table.add_column("predicted", overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("of the class", justify="right", no_wrap=True)
    for pair in pairs:
        cells = (f"{pair['num_rows']:,}", f"{100 * pair['share']:.3g} %")
        table.add_row(escape(str(pair["label"])), escape(str(pair["predicted"])), *cells)
    return table
