"""Plots on a terminal: lines of braille characters, 2 × 4 dots each; readable in 80 columns and without colour."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from rich.text import Text

from regclient.display.sweep_numbers import LOG_FROM_RATIO, LOSS_LOG_FROM_RATIO, Curve, is_logarithmic

MARKERS = "●○◆"
RULES = "│┊╎"
STYLES = ("blue", "green", "red")
LABEL_WIDTH = 8
MAX_WIDTH = 100
NUM_X_TICKS = 5
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of braille characters by row and column of the dot."""


@dataclass(frozen=True)
class _Scale:
    """A linear or logarithmic scale. On a logarithmic one, 0 lies one step below the least positive value."""

    low: float
    high: float
    is_logarithmic: bool

    @classmethod
    def over(cls, values: Sequence[float], from_ratio: float = LOG_FROM_RATIO) -> Self:
        """Return the scale on which these values can be distinguished."""
        if not is_logarithmic(values, from_ratio):
            return cls(min(values), max(values), False)
        powers = [math.log10(value) for value in values if value > 0]
        low, high = min(powers), max(powers)
        step = (high - low) / (len(set(powers)) - 1)
        return cls(low - step if min(values) == 0 else low, high, True)

    def place(self, value: float, count: int) -> int:
        """Return the value's place among `count` places, from 0."""
        if self.is_logarithmic:
            value = math.log10(value) if value > 0 else self.low
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return min(count - 1, max(0, round(share * (count - 1))))

    def at(self, share: float) -> float:
        """Return the value at a share, from 0 to 1, of the way from low to high."""
        value = self.low + share * (self.high - self.low)
        return float(10**value) if self.is_logarithmic else value


@dataclass
class _Cell:
    bits: int = 0
    marker: str = ""
    style: str = ""


def line_plot(
    curves: Sequence[Curve], marks: Mapping[str, float], *, axis: str = "", width: int = 78, height: int = 14
) -> Text:
    """Draw curves over a common axis; each curve has its own marker at its points.

    Args:
        curves: At most three curves; points that are NaN are omitted.
        marks: At most three values of the axis, by name; each is marked with a vertical line.
        axis: The label of the axis.
        width: The width in characters, labels included.
        height: The number of rows of the plot alone.
    """
    assert 0 < len(curves) <= len(MARKERS), "each curve needs a marker of its own"
    columns = width - LABEL_WIDTH - 2
    known = [mean for curve in curves for mean in curve.means if math.isfinite(mean)]
    x_scale, y_scale = _Scale.over(curves[0].values), _Scale.over(known, LOSS_LOG_FROM_RATIO)
    cells = [[_Cell() for _ in range(columns)] for _ in range(height)]
    for value, rule in zip(marks.values(), RULES, strict=False):
        for row in cells:
            row[x_scale.place(value, columns)] = _Cell(marker=rule, style="dim")
    for curve, marker, style in zip(curves, MARKERS, STYLES, strict=False):
        _draw(cells, curve, marker, style, x_scale, y_scale)
    drawn = Text(no_wrap=True)
    labels = {round(share * (height - 1)): share for share in (0.0, 0.25, 0.5, 0.75, 1.0)}
    for index, row in enumerate(cells):
        share = labels.get(index)
        label = "" if share is None else _short(y_scale.at(1 - share))
        drawn.append(f"{label:>{LABEL_WIDTH}} {'┤' if label else '│'}", style="dim")
        for cell in row:
            drawn.append(cell.marker or chr(0x2800 + cell.bits), style=cell.style)
        drawn.append("\n")
    drawn.append(_axis(curves[0].values, x_scale, columns), style="dim")
    if axis:
        drawn.append(" " * (LABEL_WIDTH + 2) + axis.center(columns).rstrip() + "\n", style="dim")
    drawn.append(_legend(curves, marks, columns))
    return drawn


def _draw(cells: list[list[_Cell]], curve: Curve, marker: str, style: str, x_scale: _Scale, y_scale: _Scale) -> None:
    width, height = 2 * len(cells[0]), 4 * len(cells)
    places = [
        (x_scale.place(value, width), height - 1 - y_scale.place(mean, height))
        for value, mean in zip(curve.values, curve.means, strict=True)
        if math.isfinite(mean)
    ]
    for start, end in pairwise(places):
        for x, y in _between(start, end):
            cell = cells[y // 4][x // 2]
            cell.bits |= _DOTS[y % 4][x % 2]
            if not cell.marker:
                cell.style = style
    for x, y in places:
        cells[y // 4][x // 2] = _Cell(marker=marker, style=style)


def _between(start: tuple[int, int], end: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield every dot of a straight line."""
    (x, y), (width, height) = start, (end[0] - start[0], end[1] - start[1])
    num_steps = max(abs(width), abs(height), 1)
    for step in range(num_steps + 1):
        yield x + round(width * step / num_steps), y + round(height * step / num_steps)


def _axis(values: Sequence[float], scale: _Scale, columns: int) -> str:
    ticks, labels = ["─"] * columns, [" "] * columns
    ends = 0
    for value in _ticks(values):
        place, label = scale.place(value, columns), _short(value)
        start = min(max(0, place - len(label) // 2), columns - len(label))
        if start >= ends:
            ticks[place] = "┴"
            labels[start : start + len(label)] = label
            ends = start + len(label) + 2
    indent = " " * (LABEL_WIDTH + 1)
    return f"{indent}└{''.join(ticks)}\n{indent} {''.join(labels).rstrip()}\n"


def _ticks(values: Sequence[float]) -> list[float]:
    """Return powers of ten for a logarithmic axis, else some of the values."""
    if is_logarithmic(values):
        positive = [value for value in values if value > 0]
        low, high = (math.log10(end) for end in (min(positive), max(positive)))
        powers = [10.0**power for power in range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)]
        return [0.0] * (min(values) == 0) + powers
    last = len(values) - 1
    places = {round(step * last / (NUM_X_TICKS - 1)) for step in range(NUM_X_TICKS)}
    return [sorted(values)[place] for place in sorted(places)]


def _legend(curves: Sequence[Curve], marks: Mapping[str, float], columns: int) -> Text:
    """Return the names of curves, then of marks, in as many lines as they need."""
    named_curves = [
        Text(f"{marker} {curve.name}", style=style)
        for curve, marker, style in zip(curves, MARKERS, STYLES, strict=False)
    ]
    named_marks = [
        Text(f"{rule} {name}: {_short(value)}", style="dim")
        for (name, value), rule in zip(marks.items(), RULES, strict=False)
    ]
    lines: list[Text] = []
    for group in (named_curves, named_marks):
        lines += _packed(group, columns)
    indent = Text(" " * (LABEL_WIDTH + 2))
    return Text("\n").join(indent + line for line in lines)


def _packed(parts: Sequence[Text], columns: int) -> list[Text]:
    gap = Text("   ")
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + gap.cell_len + part.cell_len <= columns:
            lines[-1] = lines[-1] + gap + part
        else:
            lines.append(part)
    return lines


def _short(value: float) -> str:
    return f"{value:.3g}"
