"""Dropout as a layer; the regularizer `dropout` inserts it.

Source: Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from regcore.layers.base import Layer, LayerContext, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn


class Dropout(Layer):
    """Zeroes each value with probability p while training, and scales the rest so that the mean stays."""

    summary: ClassVar[str] = "Zeroes each value with probability p while training; identity in evaluation."
    formula: ClassVar[str] = "y = x · m/(1 − p),  m ~ Bernoulli(1 − p)"
    source: ClassVar[str] = "Srivastava et al. 2014"
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})

    kind: Literal["dropout"] = "dropout"
    p: float = Field(default=0.5, ge=0, lt=1)
    """Probability that a value is dropped."""

    def module(self, input_shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)

    def forward(self, x: Tensor, parameters: dict[str, Tensor], context: LayerContext) -> Tensor:
        if not context.training:
            return x
        return x * dropout_mask(x, [member.p for member in context.members], context)


def dropout_mask(x: Tensor, p: list[float], context: LayerContext) -> Tensor:
    """m/(1 − p) for each member, drawn from its own stream, so that a member's masks do not depend on the others.

    Returns:
        (K, *x.shape[1:]); x may have a leading axis of 1 that all members share.
    """
    import torch

    mask = torch.empty((len(p), *x.shape[1:]), dtype=x.dtype, device=x.device)
    streams = context.generators(str(x.device))
    for row, probability, stream in zip(mask, p, streams, strict=True):
        row.bernoulli_(1 - probability, generator=stream).div_(1 - probability)
    return mask
