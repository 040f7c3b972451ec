"""Convolution over images.

Source: LeCun et al. 1989, Backpropagation applied to handwritten zip code recognition.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from regcore.layers.base import Layer, apart
from regcore.layers.sides import Margins, Sides, image, num_places, pair
from regcore.shapes import First, RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here

_GROUPED_FROM_CHANNELS: Final = 4
"""Input channels from which one convolution of K groups is faster than K convolutions."""

_CHANNELS_LAST_FROM_FILTERS: Final = 8
"""Filters from which it pays to have the channels of a pixel next to each other in memory, on a CPU."""


class Conv2d(Layer):
    """Every filter looks at one window of the image after the other."""

    summary: ClassVar[str] = "Convolution over images: each filter sees a window, at every place of the image."
    formula: ClassVar[str] = "y_o = Σ_i w_oi ⋆ x_i + b_o"
    source: ClassVar[str] = "LeCun et al. 1989; as torch.nn.Conv2d, its first values too"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "conv2d", "channels": 8, "kernel_size": 3, "padding": 1},
            {"kind": "activation", "name": "relu"},
            {"kind": "pool", "size": 2},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    gives_outputs: ClassVar[bool] = True
    is_affine: ClassVar[bool] = True

    kind: Literal["conv2d"] = "conv2d"
    channels: int = Field(ge=1)
    """Filters, each of which gives one channel."""
    kernel_size: Sides = 3
    """The window's height and width; one number for both."""
    stride: Sides = 1
    """How far the window moves from place to place."""
    padding: Margins | Literal["same", "valid"] = 0
    """Zeros around the image; `same` keeps its size, `valid` is none."""
    bias: bool = True
    """Whether b is learned."""

    @model_validator(mode="after")
    def _same_needs_stride_1(self) -> Self:
        if self.padding == "same" and pair(self.stride) != (1, 1):
            raise ValueError(
                f"padding=same keeps the image's size, and so needs stride=1; received stride={self.stride}. "
                "Give the padding as a number"
            )
        return self

    def output(self, seen: RowInfo) -> RowInfo:
        if self.padding == "same":
            _, height, width = image(self.kind, seen)
            return seen.of(self.channels, height, width)
        margins = (0, 0) if isinstance(self.padding, str) else pair(self.padding)
        places = num_places(self.kind, seen, pair(self.kernel_size), pair(self.stride), margins)
        return seen.of(self.channels, *places)

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        num_channels, _, _ = image(self.kind, seen)
        shape = (self.channels, num_channels, *pair(self.kernel_size))
        first: First = ("uniform", 1 / math.sqrt(math.prod(shape[1:])))
        weight = TensorInfo("weight", shape, "weight", "oikk", first)
        return [weight, TensorInfo("bias", (self.channels,), "bias", "o", first)] if self.bias else [weight]

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        return nn.Conv2d(
            seen.shape[0],
            self.channels,
            pair(self.kernel_size),
            pair(self.stride),
            self.padding if isinstance(self.padding, str) else pair(self.padding),
            bias=self.bias,
        )

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """Of few values one convolution with K groups of filters from four channels on; from fewer one for each member.

        Of one member, which is how a pass takes images of many values, the channels of a pixel are next to each other
        in memory: 1.1 to 1.6 times as fast for networks of 8 filters and more, also with what follows.
        With K = 8 and 3×3 filters the groups are 1.1 times as fast as member by member for 16 channels of 14×14, 1.6
        times for 8 of 8×8, but 0.8 times for 3 of 32×32. Of rows that all members share, all filters together are 1.5
        times as fast.
        """
        weight, bias = own["weight"], own.get("bias")
        if len(weight) == 1 and prefers_channels_last(x, self.channels):
            return self._in_channels_last(x, weight, bias)
        if len(weight) > 1 and (len(x) == 1 or here.seen.shape[0] >= _GROUPED_FROM_CHANNELS):
            return self._in_groups(x, weight, bias)
        return self._one_by_one(x, weight, bias)

    def _in_channels_last(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        filters = self._convolved(
            channels_last(x.squeeze(0)),
            channels_last(weight.squeeze(0)),
            None if bias is None else bias.squeeze(0),
            groups=1,
        )
        return filters.unsqueeze(0)

    def _one_by_one(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        import torch

        num_members = len(weight)
        rows = apart(x.expand(num_members, *x.shape[1:]))
        biases = itertools.repeat(None, num_members) if bias is None else apart(bias)
        each = [self._convolved(*parts, groups=1) for parts in zip(rows, apart(weight), biases, strict=True)]
        return torch.stack(each) if num_members > 1 else each[0].unsqueeze(0)

    def _in_groups(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # Of rows that all members share, all filters are those of one convolution.
        groups = len(weight) if len(x) > 1 else 1
        rows = x.transpose(0, 1).flatten(1, 2)
        filters = self._convolved(rows, weight.flatten(0, 1), None if bias is None else bias.flatten(), groups=groups)
        return filters.view(x.shape[1], len(weight), self.channels, *filters.shape[2:]).transpose(0, 1)

    def _convolved(self, x: Tensor, weight: Tensor, bias: Tensor | None, *, groups: int) -> Tensor:
        from torch.nn import functional

        padding = self.padding if isinstance(self.padding, str) else pair(self.padding)
        return functional.conv2d(x, weight, bias, pair(self.stride), padding, groups=groups)


def prefers_channels_last(x: Tensor, num_filters: int) -> bool:
    """Whether such a convolution is faster with the channels of a pixel next to each other in memory."""
    import torch

    is_vectorized = num_filters >= _CHANNELS_LAST_FROM_FILTERS
    return is_vectorized and x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)


def channels_last(images: Tensor) -> Tensor:
    """The same, (B, C, H, W), with the channels of a pixel next to each other in memory; convolutions keep that.

    `contiguous` alone leaves one channel as it is, which both orders describe, and torch then goes by the strides.
    """
    import torch

    if images.shape[1] > 1:
        return images.contiguous(memory_format=torch.channels_last)
    return images.contiguous().view(len(images), *images.shape[2:], 1).movedim(-1, 1)
