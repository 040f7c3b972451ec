"""How well a finished run fits, in numbers of its report: losses, their distance, and their course."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_FEW_ROWS: Final = 50


@dataclass(frozen=True)
class Fit:
    """The numbers that the verdicts are drawn from.

    Attributes:
        held: The split that judges, or None without one.
        train: Train loss.
        low: Lower end of its interval; `high` the upper one.
        other: Loss of the split that judges, with `other_low` and `other_high`.
        baseline: Loss of always saying the same, on the split that judges.
        train_baseline: The same on the train split.
        curve: Losses of the split that judges, by evaluation, up to the one whose weights are kept; `train_curve` those
            of the train split. Evaluations without a value are left out.
        is_last: Whether the weights are those of the last evaluation.
        thin: Why the evidence is thin.
    """

    held: str | None
    train: float
    low: float
    high: float
    other: float
    other_low: float
    other_high: float
    baseline: float
    train_baseline: float
    curve: Sequence[float]
    train_curve: Sequence[float]
    is_last: bool
    thin: list[str] = field(default_factory=list)

    @property
    def gap(self) -> tuple[float, float, float]:
        """The gap and its interval; the splits share no rows, so their errors add as squares do."""
        gap = self.other - self.train
        below = math.hypot(self.other - self.other_low, self.high - self.train)
        above = math.hypot(self.other_high - self.other, self.train - self.low)
        return gap, gap - below, gap + above

    @property
    def rise(self) -> float:
        """How much the held-out loss has risen since its best evaluation, if the train loss fell meanwhile; else 0."""
        if not self.curve:
            return 0.0
        best = min(range(len(self.curve)), key=self.curve.__getitem__)
        return self.other - self.curve[best] if self.train < self.train_curve[best] else 0.0

    @property
    def learned(self) -> float:
        """The share of the baseline's loss that training took away, on the train split."""
        return 1 - self.train / self.train_baseline

    @property
    def fall(self) -> float:
        """How much the losses of both splits still fell in the last fifth of the evaluations."""
        if not self.is_last or len(self.curve) < 2:
            return 0.0
        place = -1 - max(1, len(self.curve) // 5)
        return min(curve[max(place, -len(curve))] - curve[-1] for curve in (self.train_curve, self.curve))


def fit_of(report: Mapping[str, Any], num_rows: Mapping[str, int], selected_epoch: int) -> Fit | None:
    """None if a loss is not finite."""
    metrics, baseline = report["metrics"], (report["baseline"] or {}).get("metrics", {})
    held = next((split for split in ("validation", "test") if split in metrics), None)
    judge = held or "train"
    own, other = metrics["train"]["loss"], metrics[judge]["loss"]
    needed = [*own.values(), *other.values(), *(baseline.get(s, {}).get("loss") for s in ("train", judge))]
    if any(value is None for value in needed) or min(needed[-2:]) <= 0:
        return None
    curve, train_curve, is_last = _curves(report["curves"], judge, selected_epoch)
    thin = []
    if held is None:
        thin.append("there is neither a validation nor a test split")
    elif num_rows[held] < _FEW_ROWS:
        thin.append(f"the {held} split has {num_rows[held]} rows")
    return Fit(
        held=held,
        train=own["value"],
        low=own["low"],
        high=own["high"],
        other=other["value"],
        other_low=other["low"],
        other_high=other["high"],
        baseline=needed[-1],
        train_baseline=needed[-2],
        curve=curve,
        train_curve=train_curve,
        is_last=is_last,
        thin=thin,
    )


def _curves(curves: Mapping[str, Any], judge: str, selected_epoch: int) -> tuple[list[float], list[float], bool]:
    """The losses of both splits up to the selected epoch, and whether that is the last one."""
    names = (f"{judge}/loss", "train/loss")
    columns = [curves["values"].get(name, []) for name in names]
    rows = [
        (held, train)
        for epoch, held, train in zip(curves["epoch"], *columns, strict=False)
        if held is not None and train is not None and epoch <= selected_epoch
    ]
    is_last = not curves["epoch"] or selected_epoch >= curves["epoch"][-1]
    return [held for held, _ in rows], [train for _, train in rows], is_last
