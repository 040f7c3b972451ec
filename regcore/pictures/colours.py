"""The colours of a picture in light and in dark surroundings, and which text can be read on them.

Blue and orange are told apart by people who do not tell red from green, or blue from yellow.
"""

from dataclasses import dataclass
from typing import Final

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """The colours of one of the two surroundings.

    Attributes:
        ground: The background.
        text: Titles and labels.
        muted: What is said beside.
        line: Borders.
        right: Rows that are predicted right.
        wrong: Rows that are not.
        plain: Text on light cells of a light picture, and on dark cells of a dark one.
        other: Text on the other cells.
    """

    ground: RGB
    text: RGB
    muted: RGB
    line: RGB
    right: RGB
    wrong: RGB
    plain: RGB
    other: RGB


LIGHT: Final = Palette(
    ground=(255, 255, 255),
    text=(31, 35, 40),
    muted=(89, 99, 110),
    line=(209, 217, 224),
    right=(9, 82, 168),
    wrong=(176, 64, 8),
    plain=(0, 0, 0),
    other=(255, 255, 255),
)
DARK: Final = Palette(
    ground=(13, 17, 23),
    text=(230, 237, 243),
    muted=(152, 162, 173),
    line=(61, 68, 77),
    right=(111, 180, 255),
    wrong=(255, 160, 92),
    plain=(255, 255, 255),
    other=(0, 0, 0),
)


def hexadecimal(colour: RGB) -> str:
    """As CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def blended(colour: RGB, ground: RGB, opacity: float) -> RGB:
    """What is seen of a colour that lets its ground through."""
    red, green, blue = (
        round(opacity * over + (1 - opacity) * under) for over, under in zip(colour, ground, strict=True)
    )
    return red, green, blue


def contrast(one: RGB, other: RGB) -> float:
    """Between 1 and 21; text is read well from 4.5.

    Source: WCAG 2.2, contrast ratio.
    """
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def needs_other_text(palette: Palette, colour: RGB, opacity: float) -> bool:
    """Whether `other` is read better than `plain` on this cell."""
    cell = blended(colour, palette.ground, opacity)
    return contrast(cell, palette.other) > contrast(cell, palette.plain)


def _luminance(colour: RGB) -> float:
    parts = (value / 255 for value in colour)
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
