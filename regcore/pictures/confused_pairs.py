"""The pairs of classes that are confused the most, as bars: what can be drawn of many classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from regcore.pictures.svg import box, document, text
from regcore.pictures.text import cleaned, fitted, rows_in_words, text_width

MOST_LABEL: Final = 170
"""How wide a label may be, in pixels."""
_MARGIN: Final = 20
_LINE: Final = 18
_FONT: Final = 12
_BAR: Final = 220
_NUM_DESCRIBED: Final = 3


def confused_pairs(pairs: Sequence[Mapping[str, Any]], split: str, num_classes: int, accuracy: float | None) -> str:
    """The SVG with a bar for each pair, as long as it has rows.

    Args:
        pairs: `[{label, predicted, num_rows, share}]`, those with the most rows first.
        split: Its name.
        num_classes: Of the data.
        accuracy: Of the split; None if it has none.
    """
    title = f"Most confused classes, {split} split"
    right = "" if accuracy is None else f"{100 * accuracy:.3g} % of the rows are right; "
    said = f"{right}of {num_classes:,} classes, the pairs with the most wrong rows"
    if not pairs:
        said = f"{right}no class of {num_classes:,} is taken for another"
    named = [(cleaned(pair["label"]), cleaned(pair["predicted"])) for pair in pairs]
    counted = [f"{rows_in_words(pair['num_rows'])}, {100 * pair['share']:.3g} % of the class" for pair in pairs]
    arrow = _MARGIN + _widest(["true", *(true for true, _ in named)]) + 16
    bars = arrow + _widest(["predicted", *(predicted for _, predicted in named)]) + 28
    ends = [bars + _BAR + 6 + text_width(words, _FONT) for words in counted]
    width = max(_MARGIN + text_width(said, _FONT), *ends) + _MARGIN if ends else text_width(said, _FONT) + 2 * _MARGIN
    parts = [text(_MARGIN, _MARGIN + 12, title, "headline"), text(_MARGIN, _MARGIN + 12 + _LINE, said, "muted")]
    top = _MARGIN + 4 * _LINE
    if pairs:
        parts.append(text(arrow - 12, top - 4, "true", "axis", anchor="end"))
        parts.append(text(arrow + 12, top - 4, "predicted", "axis"))
    for place, (pair, names, words) in enumerate(zip(pairs, named, counted, strict=True)):
        y = top + (place + 1) * _LINE - 4
        length = _BAR * pair["num_rows"] / pairs[0]["num_rows"]
        parts += [*_names(names, arrow, y), box(bars, y - 10, length, _LINE - 5, "wrong")]
        parts.append(text(bars + length + 6, y, words, "muted"))
    most = [f"{true} for {predicted} ({words})" for (true, predicted), words in zip(named, counted, strict=True)]
    described = f"{said}. Most often: {', '.join(most[:_NUM_DESCRIBED])}." if most else f"{said}."
    return document(width, top + len(pairs) * _LINE + _MARGIN, title=title, description=described, parts=parts)


def _widest(labels: Sequence[str]) -> float:
    return max(min(text_width(label, _FONT), MOST_LABEL) for label in labels)


def _names(names: tuple[str, str], arrow: float, y: float) -> Iterator[str]:
    true, predicted = (fitted(name, MOST_LABEL, _FONT) for name in names)
    yield text(arrow - 12, y, true, anchor="end", hint=names[0] if true != names[0] else "")
    yield text(arrow, y, "→", "muted", anchor="middle")
    yield text(arrow + 12, y, predicted, hint=names[1] if predicted != names[1] else "")
