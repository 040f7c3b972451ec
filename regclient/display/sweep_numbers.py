"""The numbers of a sweep that people are shown: curves along an axis, and contrasts with their verdicts."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

View = Literal["path", "comparison", "ablation"]

SPLITS = ("train", "validation", "test")
LOG_FROM_RATIO = 20.0
"""From this ratio of the largest to the smallest value on, an axis is logarithmic."""
LOSS_LOG_FROM_RATIO = 5.0
"""The same for losses: the strongest regularizer may ruin the network, and the other losses would look flat beside."""
VERDICTS = {"helps": "helps", "hurts": "hurts", "no_measurable_effect": "no measurable effect"}


@dataclass(frozen=True)
class Curve:
    """Means with intervals over seeds, by increasing value of the axis. Unknown numbers are NaN."""

    name: str
    values: list[float]
    means: list[float]
    lows: list[float]
    highs: list[float]


@dataclass(frozen=True)
class Contrast:
    """One difference with its 95 % interval, its corrected p-value, and the verdict."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    num_pairs: int | None
    verdict: str
    note: str | None


@dataclass(frozen=True)
class Contrasts:
    """All contrasts of one comparison or ablation.

    Attributes:
        title: The heading.
        axis: The meaning of the numbers, and which side of 0 is better.
        rows: The contrasts, in the server's order.
    """

    title: str
    axis: str
    rows: list[Contrast]


def curves_of(path: Mapping[str, Any], metric: str) -> list[Curve]:
    """Return a curve for each split that has the metric (`loss`, `accuracy`), or one for a number without splits."""
    names = [f"{split}/{metric}" for split in SPLITS] if metric not in ("sparsity", "generalization_gap") else [metric]
    found = (_curve(path, name) for name in names)
    return [curve for curve in found if any(math.isfinite(mean) for mean in curve.means)]


def marked_values(path: Mapping[str, Any]) -> dict[str, float]:
    """Return the notable values of the axis by name; equal values share one entry with all their names."""
    names = {
        "best": "best_value",
        "one standard error": "one_standard_error_value",
        "no weight left": "smallest_zero_value",
    }
    called: dict[float, list[str]] = {}
    for name, field in names.items():
        if path.get(field) is not None:
            called.setdefault(path[field], []).append(name)
    return {", ".join(same): value for value, same in called.items()}


def is_logarithmic(values: Iterable[float], from_ratio: float = LOG_FROM_RATIO) -> bool:
    """Whether values need a logarithmic scale: none is negative, and their ratio is large."""
    known = [value for value in values if math.isfinite(value)]
    positive = [value for value in known if value > 0]
    return len(positive) > 1 and min(known) >= 0 and max(positive) / min(positive) >= from_ratio


def contrasts_of_comparison(comparison: Mapping[str, Any]) -> Contrasts:
    """Return the contrasts of every two groups; the earlier one is the baseline."""
    rows = [
        _contrast(f"{row['group']} − {row['baseline']}", row["difference"], row) for row in comparison["differences"]
    ]
    better = "below" if comparison["mode"] == "min" else "above"
    return Contrasts(
        f"Differences in {comparison['metric']}", f"difference in {comparison['metric']}, better {better} 0", rows
    )


def contrasts_of_ablation(ablation: Mapping[str, Any]) -> Contrasts:
    """Return what each regularizer contributes in the presence of the others."""
    rows = [_contrast(row["regularizer"], row["contribution"], row) for row in ablation["contributions"]]
    axis = f"contribution to {ablation['metric']}, above 0 it helps"
    return Contrasts("What each regularizer contributes", axis, rows)


def view_of(spec: Mapping[str, Any]) -> View | None:
    """Return which view a sweep has besides its leaderboard; None if it has several axes, or no numeric one."""
    if (spec.get("strategy") or {}).get("kind") == "ablation":
        return "ablation"
    if spec.get("variants"):
        return "comparison"
    axes: Sequence[Mapping[str, Any]] = spec.get("axes") or []
    values: Sequence[Any] = (axes[0].get("values") if axes else None) or []
    is_numeric = len(axes) == 1 and (bool(axes[0].get("range")) or (bool(values) and all(map(_is_number, values))))
    return "path" if is_numeric else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _curve(path: Mapping[str, Any], name: str) -> Curve:
    points = path["points"]
    cells = [point.get(name) or (point.get("metrics") or {}).get(name) or {} for point in points]
    means, lows, highs = ([_number(cell.get(end)) for cell in cells] for end in ("value", "low", "high"))
    return Curve(name, [float(point["value"]) for point in points], means, lows, highs)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _contrast(label: str, difference: Mapping[str, Any], judged: Mapping[str, Any]) -> Contrast:
    return Contrast(
        label=label,
        value=difference["value"],
        low=difference["low"],
        high=difference["high"],
        p_value=judged.get("p_value_corrected"),
        num_pairs=judged.get("num_pairs"),
        verdict=judged["verdict"],
        note=judged.get("note"),
    )
