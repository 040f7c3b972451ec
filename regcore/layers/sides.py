"""Sizes of images' sides: one number for both, or one for each; and how many places a window has on them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from regcore.shapes import RowInfo

Side = Annotated[int, Field(ge=1, le=10_000)]
Sides = Side | Annotated[list[Side], Field(min_length=2, max_length=2)]
"""Height and width, or one number for both."""
Margin = Annotated[int, Field(ge=0, le=10_000)]
Margins = Margin | Annotated[list[Margin], Field(min_length=2, max_length=2)]


def pair(sides: int | list[int]) -> tuple[int, int]:
    """Height and width."""
    if isinstance(sides, int):
        return sides, sides
    height, width = sides
    return height, width


def image(kind: str, seen: RowInfo) -> tuple[int, int, int]:
    """Channels, height and width of such rows. Raises ValueError if they are no images."""
    if len(seen.shape) != 3 or seen.varies:
        raise ValueError(f"{kind} expects (C, H, W); it gets {seen.shape}")
    channels, height, width = seen.shape
    return channels, height, width


def num_places(
    kind: str, seen: RowInfo, window: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int] = (0, 0)
) -> tuple[int, int]:
    """How many places a window that moves over an image has, in each direction.

    ⌊(side + 2·padding − window) / stride⌋ + 1

    Raises:
        ValueError: The rows are no images, or the window is larger than they are.
    """
    _, *sides = image(kind, seen)
    free = [side + 2 * around - each for side, around, each in zip(sides, padding, window, strict=True)]
    if min(free) < 0:
        around = f" with a padding of {list(padding)}" if any(padding) else ""
        raise ValueError(
            f"{kind} expects (C, H, W) of at least its window, {window[0]}×{window[1]}{around}; it gets {seen.shape}"
        )
    height, width = (room // step + 1 for room, step in zip(free, stride, strict=True))
    return height, width
