"""A job's report on a terminal: metrics, their intervals, and what the regularizers did."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from regclient.display.class_tables import class_parts
from regclient.display.job_tables import details_table
from regclient.display.output import format_number
from regclient.display.row_tables import row_parts, value_with_interval
from regclient.display.sweep_numbers import SPLITS
from regclient.display.warning_lines import as_rerun

PICTURE: Final = "confusion_matrix.svg"


def report_parts(report: Mapping[str, Any], job_id: str) -> list[RenderableType]:
    """Return the parts of a report from top to bottom, without those that the server did not send.

    Args:
        report: The server's JSON.
        job_id: The job's id, for the commands that apply its suggestions.
    """
    parts: list[RenderableType] = [metrics_table(report.get("metrics") or {}), details_table(_facts(report))]
    parts += class_parts(report)
    if report.get("most_confused"):  # older reports have no picture
        parts.append(escape(f"As a picture: regcore download {job_id} {PICTURE}"))
    parts += row_parts(report)
    if report.get("regularizers"):
        parts.append(regularizers_table(report["regularizers"]))
    parts += [_diagnosis(one, job_id) for one in report.get("diagnosis") or []]
    return parts


def metrics_table(metrics: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a table with a row for each metric and a column for each split: values with 95 % intervals."""
    splits = [split for split in (*SPLITS, *(name for name in metrics if name not in SPLITS)) if metrics.get(split)]
    table = Table(box=None, header_style="bold")
    table.add_column("[95 %]", no_wrap=True)
    for split in splits:
        table.add_column(escape(split), justify="right")
    for name in dict.fromkeys(name for split in splits for name in metrics[split]):
        table.add_row(escape(name), *(value_with_interval(metrics[split].get(name)) for split in splits))
    return table


def regularizers_table(regularizers: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table with a row for each regularizer: its share of the objective and of the gradient, and its note."""
    table = Table(box=None, header_style="bold")
    table.add_column("regularizer", no_wrap=True)
    table.add_column("objective", justify="right", no_wrap=True)
    has_gradients = any(one.get("share_of_gradient") is not None for one in regularizers)
    if has_gradients:
        table.add_column("gradient", justify="right", no_wrap=True)
    table.add_column("what it does", overflow="fold")
    for one in regularizers:
        gradient = [_percent(one.get("share_of_gradient"))] if has_gradients else []
        table.add_row(
            escape(one["kind"]), _percent(one.get("share_of_objective")), *gradient, escape(one.get("note") or "")
        )
    return table


def _facts(report: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    baseline = report.get("baseline") or {}
    split = next((name for name in reversed(SPLITS) if (baseline.get("metrics") or {}).get(name)), None)
    if split is not None:
        label = baseline.get("label")  # else it is such as `mean` or `mean_row`
        constant = f"the {baseline['kind'].replace('_', ' ')}" if label is None else repr(label)
        values = ", ".join(f"{name} {format_number(value)}" for name, value in baseline["metrics"][split].items())
        yield escape(f"always {constant}"), escape(f"{values}  ({split})")
    yield "generalization gap", f"{value_with_interval(report.get('generalization_gap'))}  (test loss − train loss)"
    calibration = report.get("calibration") or {}
    if calibration.get("ece") is not None:
        yield "calibration error", f"{format_number(calibration['ece'])} on {calibration.get('split', 'test')} rows"
    sparsity = report.get("sparsity") or {}
    if sparsity.get("overall") is not None:
        layers = [f"{layer} {_percent(share)}" for layer, share in (sparsity.get("by_layer") or {}).items()]
        yield "zero weights", escape(", ".join([_percent(sparsity["overall"]), *layers]))
    dead = {layer: number for layer, number in (sparsity.get("dead_units") or {}).items() if number}
    if dead:
        yield "dead units", escape(", ".join(f"{layer} {number:,}" for layer, number in dead.items()))


def _diagnosis(diagnosis: Mapping[str, Any], job_id: str) -> str:
    evidence = diagnosis.get("evidence")
    lines = [f"[bold]{escape(str(diagnosis.get('verdict', '')))}[/]: {escape(_text(evidence))}"]
    thin = evidence.get("thin_because") if isinstance(evidence, Mapping) else None
    if thin:
        lines.append(escape(f"  The evidence is thin: {'; '.join(thin)}."))
    if diagnosis.get("suggestion"):
        lines.append(escape(f"  {as_rerun(job_id, diagnosis['suggestion'])}"))
    return "\n".join(lines)


def _text(evidence: Any) -> str:
    """The evidence's message, or all of it if it has none."""
    if isinstance(evidence, Mapping) and isinstance(evidence.get("message"), str):
        evidence = evidence["message"]
    return evidence if isinstance(evidence, str) else json.dumps(evidence, ensure_ascii=False)


def _percent(share: float | None) -> str:
    return format_number(None) if share is None else f"{100 * share:.3g} %"
