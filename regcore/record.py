"""The records of a run while it trains: one append-only stream."""

import csv
import io
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

RecordKind = Literal["state", "progress", "metrics", "checkpoint", "warning", "log"]


@dataclass(frozen=True)
class Record:
    """One thing that happened.

    Attributes:
        kind: What it is about.
        body: JSON; its keys depend on the kind.
        at: Seconds since the epoch, UTC.
    """

    kind: RecordKind
    body: dict[str, Any]
    at: float = field(default_factory=time.time)


def metrics_body(epoch: int, step: int, values: Mapping[str, float]) -> dict[str, Any]:
    """The body of a `metrics` record. JSON has no NaN: a non-finite value is null, and `non_finite` names it."""
    return {
        "epoch": epoch,
        "step": step,
        "values": finite_or_null(values),
        "non_finite": sorted(name for name, value in values.items() if not math.isfinite(value)),
    }


def finite_or_null(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def format_time(at: float) -> str:
    """UTC with milliseconds, as in `2026-11-23T07:41:09.123Z`."""
    moment = datetime.fromtimestamp(round(at * 1000) / 1000, UTC)  # 1.001 · 1000 is a little below 1001
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def metrics_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """Metrics rows as CSV: `seq, epoch, step, at`, then a column for each name, in order of appearance.

    Args:
        rows: Each with `seq`, `epoch`, `step`, `at` (text, or seconds since the epoch) and `values`. A value that
            is not finite is an empty cell.
    """
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row["values"]))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["seq", "epoch", "step", "at", *names])
    for row in rows:
        at = row["at"] if isinstance(row["at"], str) else format_time(row["at"])
        cells = [row["values"].get(name) for name in names]
        writer.writerow([row["seq"], row["epoch"], row["step"], at, *("" if c is None else c for c in cells)])
    return text.getvalue()
