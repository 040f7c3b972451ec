"""A classification's confusion as a picture: every pair of classes, or of many classes the pairs confused the most."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from typing import Any, Final

from regcore.pictures.colours import DARK, LIGHT, needs_other_text
from regcore.pictures.confused_pairs import MOST_LABEL, confused_pairs
from regcore.pictures.svg import box, document, text
from regcore.pictures.text import cleaned, fitted, rows_in_words, text_width

MAX_CLASSES: Final = 40
"""The most classes of which every pair is drawn."""
_SPLITS: Final = ("test", "validation", "train")
_MARGIN: Final = 20
_LINE: Final = 18
_FONT: Final = 12
_CELLS: Final = ((10, 46), (20, 36), (30, 28), (MAX_CLASSES, 24))
"""How wide a cell is with at most so many classes."""
_SLOPE: Final = math.sqrt(0.5)
"""Of labels that are turned by 45°."""
_LEAST_WIDTH: Final = 430
"""What the lines above the picture take."""
_MOST_TOLD: Final = 300
"""How wide a label may be where it is told beside others."""
_UNITS: Final = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))


def confusion_picture(report: Mapping[str, Any]) -> str | None:
    """The SVG of a report's confusion matrix, of the split that training used least; None if it has no classes.

    Args:
        report: With `confusion_matrix`, `most_confused`, `classes` and `metrics`.
    """
    by_split = report.get("confusion_matrix") or {}
    split = next((name for name in _SPLITS if name in by_split), None)
    if split is None:
        return None
    confusion = by_split[split]
    if confusion is not None and len(confusion["labels"]) <= MAX_CLASSES:
        return _Matrix(split, [cleaned(label) for label in confusion["labels"]], confusion["counts"]).drawn()
    num_classes = len(report["classes"][split]) + report["num_classes_left_out"]
    share = report["metrics"][split]["accuracy"]["value"]
    return confused_pairs(report["most_confused"][split], split, num_classes, share)


@dataclass(frozen=True)
class _Matrix:
    """Every pair of classes.

    Attributes:
        split: Its name.
        labels: In the classes' order.
        counts: Rows by true and by predicted class.
    """

    split: str
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]

    @cached_property
    def cell(self) -> int:
        return next(width for most, width in _CELLS if len(self.labels) <= most)

    @cached_property
    def widths(self) -> list[float]:
        return [min(text_width(label, _FONT), MOST_LABEL) for label in self.labels]

    @cached_property
    def told(self) -> list[str]:
        """Labels in sentences; thousands of cells have one."""
        return [fitted(label, _MOST_TOLD, _FONT) for label in self.labels]

    @cached_property
    def is_turned(self) -> bool:
        """Whether the labels of columns are too long to stand side by side."""
        return max(self.widths) > self.cell - 4

    @cached_property
    def left(self) -> float:
        return _MARGIN + _LINE + max(self.widths) + 16

    @cached_property
    def top(self) -> float:
        over = max(self.widths) * _SLOPE + _FONT if self.is_turned else _FONT
        return _MARGIN + 4.5 * _LINE + over

    @cached_property
    def size(self) -> int:
        return self.cell * len(self.labels)

    def drawn(self) -> str:
        """The file."""
        num_rows = sum(map(sum, self.counts))
        num_right = sum(self.counts[k][k] for k in range(len(self.labels)))
        title = f"Confusion matrix, {self.split} split"
        said = f"{num_right:,} of {rows_in_words(num_rows)} are right ({_percent(num_right, num_rows)})"
        overhang = max(self.widths[-1] * _SLOPE - self.cell / 2, 0) if self.is_turned else 0
        support_width = text_width(f"{max(map(sum, self.counts)):,}", _FONT)
        width = max(self.left + self.size + max(overhang, support_width + 12), _LEAST_WIDTH) + _MARGIN
        height = self.top + self.size + 2.5 * _LINE + _MARGIN
        parts = [
            text(_MARGIN, _MARGIN + 12, title, "headline"),
            text(_MARGIN, _MARGIN + 12 + _LINE, said, "muted"),
            *self._names(),
            *self._cells(),
            box(self.left, self.top, self.size, self.size, "frame"),
            *self._legend(self.top + self.size + 1.5 * _LINE),
        ]
        return document(width, height, title=title, description=f"{said}. {self._worst()}", parts=parts)

    def _names(self) -> Iterator[str]:
        """Labels and titles of both axes; rows of each class at the right."""
        yield text(self.left, _MARGIN + 12 + 2.3 * _LINE, "predicted", "axis")
        middle, place = self.top + self.size / 2, _MARGIN + _FONT
        turn = f'transform="rotate(-90 {place:.5g} {middle:.5g})"'
        yield text(place, middle, "true", "axis", anchor="middle", more=turn)
        for k, label in enumerate(self.labels):
            shown = fitted(label, MOST_LABEL, _FONT)
            hint = label if shown != label else ""
            along = (k + 0.5) * self.cell
            x, y = self.left + along, self.top + along
            yield text(self.left - 8, y + 4, shown, anchor="end", hint=hint)
            if self.is_turned:
                x, turned = x + 2, f'transform="rotate(-45 {x + 2:.5g} {self.top - 6:.5g})"'
                yield text(x, self.top - 6, shown, more=turned, hint=hint)
            else:
                yield text(x, self.top - 6, shown, anchor="middle", hint=hint)
            yield text(self.left + self.size + 8, y + 4, f"{sum(self.counts[k]):,}", "muted")
        yield text(self.left + self.size + 8, self.top + self.size + 14, "rows", "muted")

    def _cells(self) -> Iterator[str]:
        font = self._font()
        yield f'<g text-anchor="middle" style="font-size:{font:.3g}px">'
        for k, row in enumerate(self.counts):
            support = sum(row)
            for j, count in enumerate(row):
                if count:
                    kind, opacity = ("right" if j == k else "wrong"), _shade(count / support)
                    share = f"{rows_in_words(count)}, {_percent(count, support)} of the class"
                    x, y = self.left + j * self.cell, self.top + k * self.cell
                    hint = f"{self.told[k]} → {self.told[j]}: {share}"
                    yield box(x + 0.5, y + 0.5, self.cell - 1, self.cell - 1, kind, opacity=opacity, hint=hint)
                    said, kinds = _short(count, self.cell - 4, font), f"count {_other_text(kind, opacity)}".rstrip()
                    yield text(x + self.cell / 2, y + self.cell / 2 + 0.36 * font, said, kinds)
        yield "</g>"

    def _font(self) -> float:
        """The largest in which every count fits into its cell, but for those that are shortened."""
        longest = max(text_width(_short(count, self.cell - 4, 8), 1) for count in {*chain(*self.counts)})
        return min(13, self.cell * 0.42, (self.cell - 4) / longest)

    def _legend(self, y: float) -> Iterator[str]:
        """What the shades mean."""
        x = self.left
        for kind, said in (("right", "right"), ("wrong", "wrong")):
            yield text(x, y + 10, said, "muted")
            x += text_width(said, _FONT) + 6
            for share in (0.01, 0.1, 0.3, 0.6, 1):
                yield box(x, y, 14, 12, kind, opacity=_shade(share), hint=f"{share:.0%} of the class")
                x += 14
            x += 16
        yield text(self.left, y + 10 + _LINE, "pale: 1 % of a class, full: 100 %", "muted")

    def _worst(self) -> str:
        pairs = [(-count, k, j) for k, row in enumerate(self.counts) for j, count in enumerate(row) if j != k and count]
        if not pairs:
            return "No class is taken for another."
        most = (f"{self.told[k]} for {self.told[j]} ({rows_in_words(-count)})" for count, k, j in sorted(pairs)[:3])
        return f"Most often taken for another: {', '.join(most)}."


def _shade(share: float) -> float:
    """The square root, so that an error of one row in a hundred is seen; a hundred shades are enough."""
    return round(max(math.sqrt(share), 0.08), 2)


@cache
def _other_text(kind: str, opacity: float) -> str:
    """The classes of text on such a cell."""
    palettes = {"light": LIGHT, "dark": DARK}
    return " ".join(
        f"other-in-{name}"
        for name, palette in palettes.items()
        if needs_other_text(palette, getattr(palette, kind), opacity)
    )


def _short(count: int, width: float, font: float) -> str:
    """The number, or in thousands or millions where it does not fit."""
    said = f"{count:,}"
    if count < 1_000 or text_width(said, font) <= width:
        return said
    unit, suffix = next(one for one in _UNITS if count >= one[0])
    scaled = count / unit
    return f"{scaled:.1f}{suffix}" if scaled < 9.95 else f"{scaled:.0f}{suffix}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "0 %"
