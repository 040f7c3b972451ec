"""Fully connected layer. The last one of a model may omit `features`: it is then the task's output."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from regcore.layers.base import Layer, LayerContext, Shape

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Linear(Layer):
    """Every output sees every input."""

    summary: ClassVar[str] = "Fully connected: every output sees every input."
    formula: ClassVar[str] = "y = Wx + b"
    source: ClassVar[str] = "Initialised as torch.nn.Linear: uniform in ±1/√inputs (He et al. 2015, a = √5)"
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["linear"] = "linear"
    features: int | None = Field(default=None, ge=1)
    """Outputs; null only in the last layer, whose size follows from the task."""
    bias: bool = True
    """Whether b is learned."""

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.features is None:
            raise ValueError("features may be omitted in the last linear layer only")
        return (self.features,)

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        (features,) = self.output_shape(input_shape)
        shapes: dict[str, Shape] = {"weight": (features, math.prod(input_shape))}
        return shapes | ({"bias": (features,)} if self.bias else {})

    def initialise(self, parameter: str, input_shape: Shape, stream: Generator) -> Tensor:
        import torch

        bound = 1 / math.sqrt(math.prod(input_shape))
        shape = self.parameter_shapes(input_shape)[parameter]
        return torch.empty(shape, dtype=torch.float64).uniform_(-bound, bound, generator=stream)

    def module(self, input_shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Linear(math.prod(input_shape), self.output_shape(input_shape)[0], bias=self.bias)

    def forward(self, x: Tensor, parameters: dict[str, Tensor], context: LayerContext) -> Tensor:
        import torch
        from torch.nn import functional

        weight, bias = parameters["weight"], parameters.get("bias")
        if len(weight) == 1:
            # The same product without a batch axis, which BLAS computes a tenth faster.
            return functional.linear(x[0], weight[0], None if bias is None else bias[0]).unsqueeze(0)
        # (K, outputs, B) in memory: with few outputs BLAS is twice as fast, and so is the loss, because classes are not
        # the last axis.
        rows = x.expand(len(weight), -1, -1).mT
        product = torch.bmm(weight, rows) if bias is None else torch.baddbmm(bias.unsqueeze(2), weight, rows)
        return product.mT
