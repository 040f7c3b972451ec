"""Pictures of a sweep: curves over its axis, and differences around zero."""

import math
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regclient.display.sweep_numbers import (
    LOSS_LOG_FROM_RATIO,
    VERDICTS,
    Contrast,
    Contrasts,
    Curve,
    curves_of,
    is_logarithmic,
    marked_values,
)
from regclient.display.sweep_words import contrast_sentences, path_sentences

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colour-blind-safe palette of Okabe & Ito.
_CURVE_COLOURS = {"train": "#0072b2", "validation": "#009e73", "test": "#d55e00", "": "0.25"}
_VERDICT_COLOURS = {"helps": "#009e73", "hurts": "#d55e00", "no_measurable_effect": "0.45"}
_PANELS = {"loss": ("loss", 3.2), "accuracy": ("accuracy", 2.2), "sparsity": ("share of zeros", 1.5)}
_DPI = 130
_MARGIN = 0.15
_SENTENCE_COLUMNS = 110
_WIDEST_RATIO = 1e300


def draw_path(path: Mapping[str, Any], file: Path, *, title: str, axis: str) -> None:
    """Draw loss, accuracy and sparsity over the values of the axis, with intervals over seeds.

    Args:
        path: The server's JSON.
        file: The picture to write; the suffix chooses the format.
        title: The title above the picture.
        axis: The label of the axis. The conclusions of the terminal's page stand below the picture.
    """
    # Not pyplot: it keeps global state and looks for a display.
    from matplotlib.figure import Figure

    panels = {metric: curves_of(path, metric) for metric in _PANELS}
    drawn = [metric for metric, curves in panels.items() if _is_worth_drawing(metric, curves)]
    heights = [_PANELS[metric][1] for metric in drawn]
    figure = Figure(figsize=(8, sum(heights) + 1.2), dpi=_DPI, layout="constrained")
    axes = figure.subplots(len(drawn), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, metric in zip(axes, drawn, strict=True):
        _draw_panel(panel, panels[metric], marked_values(path))
        panel.set_ylabel(_PANELS[metric][0])
    if "sparsity" in drawn:
        axes[-1].set_ylim(0, 1.03)
    axes[0].legend(frameon=False, fontsize=9, loc="best")
    axes[-1].set_xlabel(axis, parse_math=False)
    _say_below(figure, path_sentences(path, axis))
    _save(figure, title, file)


def draw_contrasts(contrasts: Contrasts, file: Path) -> None:
    """Draw each difference with its interval around 0, and its verdict beside it."""
    from matplotlib.figure import Figure

    rows = contrasts.rows
    figure = Figure(figsize=(8, 1.4 + 0.45 * len(rows)), dpi=_DPI, layout="constrained")
    panel = figure.subplots()
    panel.axvline(0, color="0.2", linewidth=1)
    for place, row in enumerate(rows):
        _draw_contrast(panel, place, row)
    panel.set_yticks(range(len(rows)), [row.label for row in rows], parse_math=False)
    panel.set_ylim(len(rows) - 0.4, -0.6)
    _say_below(figure, contrast_sentences(contrasts))
    panel.tick_params(axis="y", length=0)
    panel.grid(visible=True, axis="x", alpha=0.3)
    panel.spines[["top", "right", "left"]].set_visible(False)
    _save(figure, contrasts.title, file)


def _save(figure: "Figure", title: str, file: Path) -> None:
    """Save the picture. Names come from users: `$` must not begin a formula, nor a missing glyph print a warning."""
    figure.suptitle(title, fontsize=12, parse_math=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
        figure.savefig(file)


def _say_below(figure: "Figure", sentences: Sequence[str]) -> None:
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, _SENTENCE_COLUMNS)]
    figure.supxlabel("\n".join(lines), fontsize=9, x=0.02, ha="left", parse_math=False)


def _draw_panel(panel: "Axes", curves: Sequence[Curve], marks: Mapping[str, float]) -> None:
    for curve in curves:
        split = curve.name.rpartition("/")[0]
        colour = _CURVE_COLOURS[split]
        panel.plot(
            curve.values, curve.means, label=split or None, color=colour, linewidth=2, marker="o", markersize=3.5
        )
        panel.fill_between(curve.values, curve.lows, curve.highs, color=colour, alpha=0.15, linewidth=0)
    for (name, value), line in zip(marks.items(), ("-", "--", ":"), strict=False):
        panel.axvline(value, color="0.35", linewidth=1.2, linestyle=line, label=f"{name}: {value:.3g}", zorder=0)
    _scale_axis(panel, curves[0].values)
    # The means alone set the scale: an interval over two seeds is six times as wide as over many, and would flatten the
    # curves.
    means = [mean for curve in curves for mean in curve.means if math.isfinite(mean)]
    if curves[0].name.endswith("loss") and min(means) > 0 and is_logarithmic(means, LOSS_LOG_FROM_RATIO):
        _scale_losses(panel, min(means), max(means))
    else:
        margin = max(_MARGIN * (max(means) - min(means)), 1e-6)
        panel.set_ylim(min(means) - margin, max(means) + margin)
    panel.grid(visible=True, which="major", alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def _scale_axis(panel: "Axes", values: Sequence[float]) -> None:
    if not is_logarithmic(values):
        return
    if min(values) > 0:
        panel.set_xscale("log")
        return
    # Values further below the largest are drawn as 0, because the ratio must be a finite float.
    smallest = max(min(value for value in values if value > 0), max(values) / _WIDEST_RATIO)
    panel.set_xscale("symlog", linthresh=smallest, linscale=1)
    panel.set_xlim(-0.2 * smallest, 1.5 * max(values))


def _scale_losses(panel: "Axes", smallest: float, largest: float) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    panel.set_yscale("log")
    panel.set_ylim(smallest / 1.2, largest * 1.2)
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())


def _draw_contrast(panel: "Axes", place: int, row: Contrast) -> None:
    colour = _VERDICT_COLOURS.get(row.verdict, "0.45")
    said = VERDICTS.get(row.verdict, row.verdict)
    if row.value is not None:
        panel.plot([row.value], [place], "o", color=colour, markersize=7)
    if row.low is not None and row.high is not None:
        panel.plot([row.low, row.high], [place, place], color=colour, linewidth=2.5, solid_capstyle="butt")
    if row.p_value is not None:
        said += f"  (p = {row.p_value:.2g})"
    where = panel.get_yaxis_transform()
    panel.annotate(said, (1.02, place), xycoords=where, va="center", fontsize=9, color=colour, annotation_clip=False)


def _is_worth_drawing(metric: str, curves: Sequence[Curve]) -> bool:
    return bool(curves) and (metric != "sparsity" or any(mean > 0 for curve in curves for mean in curve.means))
