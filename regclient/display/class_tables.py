"""A classification by class on a terminal: precision, recall and F1 of each, and what is taken for what."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from regclient.display.output import format_number
from regclient.display.sweep_numbers import SPLITS

MAX_CLASSES: Final = 30
"""The most classes that are listed; of more, those with the lowest F1."""
MAX_CONFUSED: Final = 12
"""The most classes whose confusion fits on a terminal."""


def class_parts(report: Mapping[str, Any]) -> list[RenderableType]:
    """Return the table per class and the confusion of the split that training used least; nothing for a regression."""
    by_split = report.get("classes") or {}
    split = next((name for name in reversed(SPLITS) if by_split.get(name)), None)
    if split is None:
        return []
    rows = by_split[split]
    parts: list[RenderableType] = [_class_table(rows, split, report.get("positive_class"))]
    if len(rows) > MAX_CLASSES:
        parts.append(f"The {MAX_CLASSES} of {len(rows):,} classes with the lowest F1.")
    confusion = (report.get("confusion_matrix") or {}).get(split)
    if confusion and len(confusion["labels"]) <= MAX_CONFUSED:
        parts.append(_confusion_table(confusion, split))
    return parts


def _class_table(rows: Sequence[Mapping[str, Any]], split: str, positive: str | None) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(escape(f"class ({split})"), overflow="fold")
    for name in ("precision", "recall", "F1", "rows"):
        table.add_column(name, justify="right", no_wrap=True)
    if len(rows) > MAX_CLASSES:
        rows = sorted(rows, key=lambda row: row["f1"] or 0.0)[:MAX_CLASSES]
    for row in rows:
        label = str(row["label"])
        said = f"{label} (the positive class)" if label == positive else label
        cells = (format_number(row.get(name)) for name in ("precision", "recall", "f1", "support"))
        table.add_row(escape(said), *cells)
    return table


def _confusion_table(confusion: Mapping[str, Any], split: str) -> Table:
    table = Table(box=None, header_style="bold")
    table.add_column(escape(f"true ({split}) \\ predicted"), overflow="fold")
    for label in confusion["labels"]:
        table.add_column(escape(str(label)), justify="right", overflow="fold")
    for place, (label, counts) in enumerate(zip(confusion["labels"], confusion["counts"], strict=True)):
        cells = [f"[bold]{count:,}[/]" if place == column else f"{count:,}" for column, count in enumerate(counts)]
        table.add_row(escape(str(label)), *cells)
    return table
