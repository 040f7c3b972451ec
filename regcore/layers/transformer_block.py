"""One layer of a transformer's encoder.

Source: Vaswani et al. 2017, Attention is all you need; normalization first as in Xiong et al. 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from regcore.layers.activation import Activation, ActivationName
from regcore.layers.attention import Attention
from regcore.layers.base import Layer
from regcore.layers.chain import complete, output_of
from regcore.layers.dropout import Dropout
from regcore.layers.image_rows import ImageRows, sequence
from regcore.layers.layer_norm import LayerNorm
from regcore.layers.linear import Linear
from regcore.layers.residual import Residual
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    AnyLayer = Layer


class TransformerBlock(Layer):
    """Attention and a small network for each step, each added to what it gets."""

    summary: ClassVar[str] = "A transformer's encoder layer: self-attention, then a small network at each step."
    formula: ClassVar[str] = (
        "norm_first: x ← x + attention(norm x), x ← x + W₂φ(W₁·norm x);  else x ← norm(x + attention x), "
        "x ← norm(x + W₂φ(W₁x))"
    )
    source: ClassVar[str] = "Vaswani et al. 2017; Xiong et al. 2020, On layer normalization in the transformer"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "position"},
            {"kind": "linear", "features": 16, "per_step": True},
            {"kind": "transformer_block", "num_heads": 2},
            {"kind": "global_pool"},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"dropout"})

    kind: Literal["transformer_block"] = "transformer_block"
    num_heads: int = Field(ge=1)
    """Heads of the attention."""
    feedforward: int | None = Field(default=None, ge=1)
    """Hidden units of the network at each step; null for four times the features."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a value is dropped of what is added, in both parts."""
    activation: ActivationName = "gelu"
    """φ."""
    norm_first: bool = True
    """Whether each part is normalized before it, which trains without a warm-up, not after the addition."""
    layers: list[AnyLayer] | None = Field(default=None, max_length=1000)
    """What it is made of, which the plan fills in; null for what the fields above say. If given, these are taken."""

    def completed(self, seen: RowInfo, num_outputs: int | None) -> Sequence[Layer]:
        if len(seen.shape) == 3:
            rows = ImageRows()
            return (rows, *self.completed(rows.output(seen), None))
        _, size = sequence(self.kind, seen)
        layers = self._parts_of(size) if self.layers is None else self.layers
        return (self.with_children(complete(layers, seen, None)),)

    def output(self, seen: RowInfo) -> RowInfo:
        sequence(self.kind, seen)
        given = output_of(self.children(), seen)
        if given != seen:
            raise ValueError(
                f"the layers inside must keep the shape of their rows, {seen.shape}; they give {given.shape}"
            )
        return seen

    def children(self) -> Sequence[Layer]:
        return self.layers or ()

    def with_children(self, children: Sequence[Layer]) -> Self:
        return self.model_copy(update={"layers": list(children)})

    def _parts_of(self, size: int) -> list[Layer]:
        """The layers that the fields stand for."""
        # Always there, so that blocks with and without dropout have the same labels and train in one pass.
        dropout = Dropout(p=self.dropout)
        attend: list[Layer] = [Attention(num_heads=self.num_heads), dropout]
        think: list[Layer] = [
            Linear(features=self.feedforward or 4 * size, per_step=True),
            Activation(name=self.activation),
            Linear(features=size, per_step=True),
            dropout,
        ]
        if self.norm_first:
            return [Residual(layers=[LayerNorm(), *attend]), Residual(layers=[LayerNorm(), *think])]
        return [Residual(layers=attend), LayerNorm(), Residual(layers=think), LayerNorm()]
