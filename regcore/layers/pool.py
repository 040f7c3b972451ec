"""Pooling: one number for each window of an image, or of the steps of a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.base import Layer
from regcore.layers.sides import Sides, image, num_places, pair
from regcore.layers.windows import num_places_of_steps
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here


class Pool(Layer):
    """The largest value of each window, or the mean of its values."""

    summary: ClassVar[str] = (
        "Pooling of windows of an image, or of a sequence's steps: each becomes its largest value, or their mean."
    )
    formula: ClassVar[str] = "y = max or mean of x over windows of `size`, `stride` apart"
    source: ClassVar[str] = (
        "LeCun et al. 1998, Gradient-based learning; as torch.nn.MaxPool2d, AvgPool2d, MaxPool1d and AvgPool1d"
    )
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
    """The window's height and width; one number for both, or for the steps of a sequence."""
    stride: Sides | None = None
    """How far the window moves from place to place; null for its size, so that windows do not overlap."""

    def output(self, seen: RowInfo) -> RowInfo:
        if len(seen.shape) == 2:
            size, stride = self._steps
            return seen.of(num_places_of_steps(self.kind, seen, size, stride), seen.shape[1])
        if len(seen.shape) != 3:
            raise ValueError(f"pool expects (C, H, W) or (steps, features); it gets {seen.shape}")
        channels, _, _ = image(self.kind, seen)
        return seen.of(channels, *num_places(self.kind, seen, pair(self.size), self._stride))

    def lengths(self, lengths: Tensor, here: Here) -> Tensor:
        from regcore.step_modules import places_in_use

        return places_in_use(lengths, *self._steps)

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        from regcore.step_modules import StepPool

        if len(seen.shape) == 2:
            return StepPool(self.method, *self._steps)
        return (nn.MaxPool2d if self.method == "max" else nn.AvgPool2d)(pair(self.size), self._stride)

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """Of windows of 2×2 that do not overlap, on a CPU, without torch's kernel, which is slow there."""
        from regcore.pooling import largest_of_fours

        is_image = len(here.seen.shape) == 3
        if is_image and self.method == "max" and pair(self.size) == self._stride == (2, 2) and x.device.type == "cpu":
            return largest_of_fours(x)
        return super().forward(x, own, here)

    @property
    def _steps(self) -> tuple[int, int]:
        """Size and stride over the steps of a sequence."""
        stride = self.size if self.stride is None else self.stride
        if not isinstance(self.size, int) or not isinstance(stride, int):
            raise ValueError(
                f"pool over a sequence has one number for size and one for stride; received size={self.size}, "
                f"stride={stride}"
            )
        return self.size, stride

    @property
    def _stride(self) -> tuple[int, int]:
        return pair(self.size if self.stride is None else self.stride)
