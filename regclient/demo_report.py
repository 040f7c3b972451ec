"""The demo's table and picture."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from regclient.display.tables import Column, FittedTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CAPTION = """\
train, test: mean cross-entropy; gap: test − train; accuracy: on the
test digits, %; zeros: weights that are exactly 0; ‖w‖: their norm"""
_TRAIN_COLOUR = "#0072b2"  # the colour-blind-safe pair of Okabe & Ito
_TEST_COLOUR = "#d55e00"


def comparison_table(rows: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> FittedTable:
    """Return a table with a row for each (job, report): losses, gap, accuracy with its interval, zeros, norm, time."""
    jobs = [job for job, _ in rows]
    metrics = [job["result"]["metrics"] for job in jobs]
    gaps = [f"{job['result']['generalization_gap']:.4f}" for job in jobs]
    accuracies = [
        _accuracy_text(known["test/accuracy"], report) for known, (_, report) in zip(metrics, rows, strict=True)
    ]
    norms = [f"{weight_norm(report):.1f}" for _, report in rows]
    times = [f"{_seconds_between(job['started_at'], job['finished_at']):.1f} s" for job in jobs]
    # Short headers, so that the table keeps every digit on a terminal of 80 columns.
    return FittedTable(
        [
            Column("job", [f"[bold]{job['name']}[/]" for job in jobs]),
            Column("train", [f"{known['train/loss']:.4f}" for known in metrics], 1, is_number=True),
            Column("test", [f"{known['test/loss']:.4f}" for known in metrics], is_number=True),
            Column("gap", gaps, is_number=True),
            Column(escape("accuracy [95 %]"), accuracies, 3, is_number=True),
            Column("zeros", [f"{num_zeros(job):,}" for job in jobs], 2, is_number=True),
            Column("‖w‖", norms, 4, is_number=True),
            Column("time", times, 5, is_number=True),
        ],
        title="784-128-10 on mnist-5k",
        caption=_CAPTION,
    )


def draw_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Draw train against test loss over the epochs, a panel per job on common axes.

    Args:
        curves: Metrics rows by the job's name.
        path: The PNG to write.
    """
    # Not pyplot: it keeps global state and looks for a display.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.8), dpi=130, layout="constrained")
    panels = figure.subplots(1, len(curves), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (name, rows) in zip(panels, curves.items(), strict=True):
        _draw_panel(panel, name, rows)
    # Linear, because the gap is a difference: on a logarithmic scale its height would be a ratio.
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("mean cross-entropy")
    panels[0].legend(frameon=False, loc="upper right")
    figure.suptitle("One network, trained four ways: 784-128-10 on 5,000 MNIST digits", fontsize=13)
    figure.savefig(path)


def _draw_panel(panel: "Axes", name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    epochs = [row["epoch"] for row in rows]
    train, test = ([row["values"][f"{split}/loss"] for row in rows] for split in ("train", "test"))
    panel.plot(epochs, test, label="test loss", color=_TEST_COLOUR, linewidth=2)
    panel.plot(epochs, train, label="train loss", color=_TRAIN_COLOUR, linewidth=2)
    panel.fill_between(epochs, train, test, label="gap", color="0.5", alpha=0.12, linewidth=0)
    panel.set_title(f"{name}\n", fontsize=12, fontweight="bold")
    final = f"gap {test[-1] - train[-1]:.3f}    test loss {test[-1]:.3f}"
    panel.text(0.5, 1.03, final, transform=panel.transAxes, ha="center", va="bottom", fontsize=10)
    panel.set_xlabel("epoch")
    panel.set_xlim(epochs[0], epochs[-1])
    panel.grid(visible=True, which="major", alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def num_zeros(job: Mapping[str, Any]) -> int:
    """Return how many weights (of tensors with two or more dimensions) are exactly zero."""
    shapes = [parameter["shape"] for parameter in job["plan"]["parameters"]]
    num_weights: int = sum(math.prod(shape) for shape in shapes if len(shape) >= 2)
    sparsity: float = job["result"]["sparsity"]
    return round(sparsity * num_weights)


def weight_norm(report: Mapping[str, Any]) -> float:
    """Return the Euclidean norm of all weights together, computed from the norms of the layers."""
    return math.hypot(*(layer["l2"] for layer in report["norms"].values()))


def _accuracy_text(accuracy: float, report: Mapping[str, Any]) -> str:
    interval = report["metrics"]["test"]["accuracy"]
    return f"{100 * accuracy:.1f} [{100 * interval['low']:.1f}, {100 * interval['high']:.1f}]"


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
