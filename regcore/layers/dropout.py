"""Dropout as a layer; the regularizer `dropout` inserts it.

Source: Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.layers.base import Layer, LayerContext, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn


_LARGE_SHARE: Final = 0.95
"""A p from which 32 hidden units are reduced to one or two."""


class Dropout(Layer):
    """Zeroes each value with probability p while training, and scales the rest so that the mean stays."""

    summary: ClassVar[str] = "Zeroes each value with probability p while training; identity in evaluation."
    formula: ClassVar[str] = "y = x · m/(1 − p),  m ~ Bernoulli(1 − p)"
    source: ClassVar[str] = "Srivastava et al. 2014"
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})

    kind: Literal["dropout"] = "dropout"
    p: float = Field(default=0.5, ge=0, lt=1)
    """Probability that a value is dropped."""

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        if self.p >= _LARGE_SHARE:
            yield Doubt(
                "/p",
                "drops_nearly_all",
                f"of 1,000 values {1000 * (1 - self.p):.3g} are kept in a step, each multiplied by "
                f"{1 / (1 - self.p):.3g}: few networks train so.",
                "Lower p, e.g. to 0.5.",
            )

    def module(self, input_shape: Shape) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)

    def forward(self, x: Tensor, parameters: dict[str, Tensor], context: LayerContext) -> Tensor:
        if not context.training:
            return x
        return x * dropout_mask(x, [member.p for member in context.members], context)


def dropout_mask(x: Tensor, p: list[float], context: LayerContext) -> Tensor:
    """m/(1 − p) for each member, drawn from its own stream, so that a member's masks do not depend on the others.

    A value is kept if 32 random bits, as an integer, reach p · 2³²; this is several times faster than `bernoulli_`.

    Returns:
        (K, *x.shape[1:]); x may have a leading axis of 1 that all members share.
    """
    import torch

    rows, features = x.shape[1], x.shape[2:]
    num_values = x[0].numel()
    bits = torch.empty(len(p), -(-num_values // 2), dtype=torch.int64, device=x.device)
    stream = torch.Generator(x.device)
    for member, seed in zip(bits, context.mask_seeds(), strict=True):
        member.random_(-(2**63), None, generator=stream.manual_seed(seed))
    drawn = bits.view(torch.int32)[:, :num_values]
    reach = torch.tensor([[min(round(each * 2**32), 2**32 - 1) - 2**31] for each in p], dtype=torch.int32)
    mask = (drawn >= reach.to(x.device)).to(x.dtype)
    mask.mul_(mask.new_tensor([[1 / (1 - each)] for each in p]))
    # Rows last, as a stacked linear layer has them in memory.
    return mask.view(len(p), *features, rows).movedim(-1, 1)
