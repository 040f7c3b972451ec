"""Transformers."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from regcore.layers import GlobalPool, Layer, LayerNorm, Linear, Position, TransformerBlock
from regcore.models.base import Model
from regcore.models.first_layers import as_steps
from regcore.shapes import RowInfo


class TransformerModel(Model):
    """An encoder: steps as vectors, their places, blocks of attention, one vector of all steps, and an output."""

    summary: ClassVar[str] = "A transformer's encoder over text, over sequences of numbers, or over an image's rows."
    formula: ClassVar[str] = "f(x) = W·pool(norm(block_n(… block_1(E·x + p)))) + b,  p learned places"
    source: ClassVar[str] = (
        "Vaswani et al. 2017, Attention is all you need; normalization first as in Xiong et al. 2020, learned places "
        "as in Devlin et al. 2019"
    )
    example: ClassVar[dict[str, Any]] = {"kind": "transformer", "width": 32, "depth": 1, "feedforward": 64}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"dropout"})
    deep_field: ClassVar[str] = "depth"

    kind: Literal["transformer"] = "transformer"
    width: int = Field(default=64, ge=1)
    """Numbers in the vector of a step, or of a token; a multiple of `heads`."""
    depth: int = Field(default=2, ge=1, le=1000)
    """Blocks."""
    heads: int = Field(default=4, ge=1)
    """Heads of each attention."""
    feedforward: int = Field(default=256, ge=1)
    """Hidden units of the network at each step, in each block."""
    pooling: Literal["mean", "first"] = "mean"
    """What the output sees: the mean over all steps, or the first step."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a value is dropped of what each part of a block adds."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(
                f"width must be a multiple of heads; received width={self.width}, heads={self.heads}. Change "
                "one of them"
            )
        return self

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        first = as_steps(self.kind, row, self.width)
        embedded = first if row.tokens is not None else [*first, Linear(features=self.width, per_step=True)]
        blocks = [
            TransformerBlock(num_heads=self.heads, feedforward=self.feedforward, dropout=self.dropout)
            for _ in range(self.depth)
        ]
        return [*embedded, Position(), *blocks, LayerNorm(), GlobalPool(method=self.pooling), Linear()]

    @property
    def num_written(self) -> int:
        return self.depth
