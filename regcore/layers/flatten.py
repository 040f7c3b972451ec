"""Merges all axes of a row into one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from regcore.layers.base import Layer, LayerContext, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn


class Flatten(Layer):
    """(C, H, W) becomes (C·H·W,)."""

    summary: ClassVar[str] = "Puts all values of a row into one vector."
    formula: ClassVar[str] = "(d₁, d₂, …) → (d₁·d₂·…)"
    source: ClassVar[str] = "torch.nn.Flatten"
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["flatten"] = "flatten"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def module(self, input_shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Flatten()

    def forward(self, x: Tensor, parameters: dict[str, Tensor], context: LayerContext) -> Tensor:
        return x.flatten(2)
