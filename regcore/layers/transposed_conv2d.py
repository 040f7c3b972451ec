"""Transposed convolution over images: the way back from a convolution's output to the size of its input.

Source: Zeiler et al. 2010, Deconvolutional networks; Dumoulin & Visin 2016, A guide to convolution arithmetic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from regcore.layers.base import Layer, apart
from regcore.layers.sides import Margins, Sides, image, pair
from regcore.shapes import First, RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here


class TransposedConv2d(Layer):
    """Every pixel adds its multiple of a filter to a window of the image that is given."""

    summary: ClassVar[str] = "Transposed convolution over images: makes them larger, as the way back of a convolution."
    formula: ClassVar[str] = (
        "y[o, s·h + i − p, s·w + j − p] += w[c, o, i, j] · x[c, h, w];  side: (H − 1)·s − 2p + kernel + output_padding"
    )
    source: ClassVar[str] = "Zeiler et al. 2010; as torch.nn.ConvTranspose2d, its first values too"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "conv2d", "channels": 4, "stride": 2, "padding": 1},
            {"kind": "activation", "name": "relu"},
            {"kind": "transposed_conv2d", "channels": 4, "stride": 2, "padding": 1, "output_padding": 1},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    gives_outputs: ClassVar[bool] = True
    is_affine: ClassVar[bool] = True

    kind: Literal["transposed_conv2d"] = "transposed_conv2d"
    channels: int = Field(ge=1)
    """Channels of the images that it gives."""
    kernel_size: Sides = 3
    """The window's height and width; one number for both."""
    stride: Sides = 1
    """How far apart the windows of neighbouring pixels are."""
    padding: Margins = 0
    """What is cut off all around, as a convolution of this padding would have added it."""
    output_padding: Margins = 0
    """Rows and columns more at the bottom and the right: of the sizes that a convolution of this stride makes the same,
    which one; below the stride."""
    bias: bool = True
    """Whether b is learned."""

    @model_validator(mode="after")
    def _output_padding_is_below_the_stride(self) -> Self:
        if any(more >= step for more, step in zip(pair(self.output_padding), pair(self.stride), strict=True)):
            raise ValueError(
                f"output_padding must be below stride; received output_padding={self.output_padding}, "
                f"stride={self.stride}. Lower it"
            )
        return self

    def output(self, seen: RowInfo) -> RowInfo:
        _, *sides = image(self.kind, seen)
        of_sides = zip(
            sides,
            *(pair(each) for each in (self.kernel_size, self.stride, self.padding, self.output_padding)),
            strict=True,
        )
        height, width = ((side - 1) * step - 2 * cut + window + more for side, window, step, cut, more in of_sides)
        if min(height, width) < 1:
            raise ValueError(
                f"transposed_conv2d expects (C, H, W) of which padding={self.padding} leaves something; it gets "
                f"{seen.shape}"
            )
        return seen.of(self.channels, height, width)

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        num_channels, _, _ = image(self.kind, seen)
        shape = (num_channels, self.channels, *pair(self.kernel_size))
        first: First = ("uniform", 1 / math.sqrt(math.prod(shape[1:])))
        weight = TensorInfo("weight", shape, "weight", "iokk", first)
        return [weight, TensorInfo("bias", (self.channels,), "bias", "o", first)] if self.bias else [weight]

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        return nn.ConvTranspose2d(
            seen.shape[0],
            self.channels,
            pair(self.kernel_size),
            pair(self.stride),
            pair(self.padding),
            pair(self.output_padding),
            bias=self.bias,
        )

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """Member by member without the module."""
        import torch
        from torch.nn import functional

        weight, bias = own["weight"], own.get("bias")
        rows = apart(x.expand(len(weight), *x.shape[1:]))
        biases = itertools.repeat(None, len(weight)) if bias is None else apart(bias)
        sizes = pair(self.stride), pair(self.padding), pair(self.output_padding)
        each = [functional.conv_transpose2d(*parts, *sizes) for parts in zip(rows, apart(weight), biases, strict=True)]
        return torch.stack(each) if len(each) > 1 else each[0].unsqueeze(0)
