"""The demo's table and picture."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.table import Table

_COLUMNS = ("train loss", "test loss", "gap", "test accuracy (95 %)", "exact zeros", "weight norm", "time")
_TRAIN_COLOUR = "#0072b2"  # the colour-blind-safe pair of Okabe & Ito
_TEST_COLOUR = "#d55e00"


def comparison_table(rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> Table:
    """A line per (job, report): losses, gap, accuracy with its interval, zeros, norm, time."""
    table = Table(title="784-128-10 on mnist-5k", caption="gap = test loss − train loss")
    table.add_column("regularizer", style="bold")
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for job, report in rows:
        metrics = job["result"]["metrics"]
        table.add_row(
            job["name"],
            f"{metrics['train/loss']:.4f}",
            f"{metrics['test/loss']:.4f}",
            f"{job['result']['generalization_gap']:.4f}",
            _accuracy_text(metrics["test/accuracy"], report),
            f"{num_zeros(job):,}",
            f"{weight_norm(report):.1f}",
            f"{_seconds_between(job['started_at'], job['finished_at']):.1f} s",
        )
    return table


def draw_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Draw train against test loss over the epochs, a panel per job on common axes.

    Args:
        curves: Metrics rows by the job's name.
        path: The PNG to write.
    """
    # Not pyplot: it keeps global state and looks for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), dpi=130, layout="constrained")
    panels = figure.subplots(1, len(curves), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (name, rows) in zip(panels, curves.items(), strict=True):
        epochs = [row["epoch"] for row in rows]
        for split, colour in (("train", _TRAIN_COLOUR), ("test", _TEST_COLOUR)):
            losses = [row["values"][f"{split}/loss"] for row in rows]
            panel.plot(epochs, losses, label=split, color=colour, linewidth=1.8)
        last = rows[-1]["values"]
        gap = last["test/loss"] - last["train/loss"]
        panel.set_title(f"{name}   (gap {gap:.3f})", fontsize=11)
        panel.set_xlabel("epoch")
        panel.set_yscale("log")
        panel.grid(visible=True, which="both", alpha=0.2)
    panels[0].set_ylabel("cross-entropy loss (log scale)")
    panels[0].legend(frameon=False, loc="lower left")
    figure.suptitle("One network, four regularizations: 784-128-10 on 5,000 MNIST digits", fontsize=12)
    figure.savefig(path)


def num_zeros(job: Mapping[str, Any]) -> int:
    """How many weights (of tensors with two or more dimensions) are exactly zero."""
    shapes = [parameter["shape"] for parameter in job["plan"]["parameters"]]
    num_weights: int = sum(math.prod(shape) for shape in shapes if len(shape) >= 2)
    sparsity: float = job["result"]["sparsity"]
    return round(sparsity * num_weights)


def weight_norm(report: Mapping[str, Any]) -> float:
    """The Euclidean norm of all weights together, from those of the layers."""
    return math.hypot(*(layer["l2"] for layer in report["norms"].values()))


def _accuracy_text(accuracy: float, report: Mapping[str, Any]) -> str:
    interval = report["metrics"]["test"]["accuracy"]
    return f"{100 * accuracy:.1f} %  [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]"


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
