"""Pooling: one number for each window of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.base import Layer
from regcore.layers.sides import Sides, image, num_places, pair
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import nn


class Pool(Layer):
    """The largest value of each window, or the mean of its values."""

    summary: ClassVar[str] = "Pooling over images: each window becomes its largest value, or the mean of its values."
    formula: ClassVar[str] = "y = max or mean of x over windows of `size`, `stride` apart"
    source: ClassVar[str] = "LeCun et al. 1998, Gradient-based learning; torch.nn.MaxPool2d and AvgPool2d"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "conv2d", "channels": 8, "kernel_size": 3},
            {"kind": "activation", "name": "relu"},
            {"kind": "pool", "method": "max", "size": 2},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["pool"] = "pool"
    method: Literal["max", "mean"] = "max"
    """What becomes of a window."""
    size: Sides = 2
    """The window's height and width; one number for both."""
    stride: Sides | None = None
    """How far the window moves from place to place; null for its size, so that windows do not overlap."""

    def output(self, seen: RowInfo) -> RowInfo:
        channels, _, _ = image(self.kind, seen)
        return seen.of(channels, *num_places(self.kind, seen, pair(self.size), self._stride))

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        return (nn.MaxPool2d if self.method == "max" else nn.AvgPool2d)(pair(self.size), self._stride)

    @property
    def _stride(self) -> tuple[int, int]:
        return pair(self.size if self.stride is None else self.stride)
