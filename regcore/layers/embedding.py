"""Tokens as learned vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.layers.base import Layer
from regcore.shapes import First, RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here


class Embedding(Layer):
    """Each token is looked up in a table of vectors."""

    summary: ClassVar[str] = "One learned vector for each token; token 0 is padding, and stays zero."
    formula: ClassVar[str] = "y_t = W[x_t],  W[0] = 0"
    source: ClassVar[str] = "Bengio et al. 2003, A neural probabilistic language model; as torch.nn.Embedding"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [{"kind": "embedding", "features": 16}, {"kind": "global_pool"}, {"kind": "linear"}],
    }
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "tiny-text"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    takes_tokens: ClassVar[bool] = True

    kind: Literal["embedding"] = "embedding"
    features: int = Field(ge=1)
    """Numbers in the vector of a token."""

    def output(self, seen: RowInfo) -> RowInfo:
        if seen.tokens is None:
            raise ValueError(f"embedding expects tokens, which are integers; it gets numbers, {seen.shape}")
        return seen.of(*seen.shape, self.features)

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        num_tokens = self._num_tokens(seen)
        first: First = ("normal", 1.0)
        return [TensorInfo("weight", (num_tokens, self.features), "embedding", "oi", first, has_padding=True)]

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import TokenEmbedding

        return TokenEmbedding(self._num_tokens(seen), self.features)

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """The members' tables one below the other as one table: for K = 8 as fast, with two threads three times."""
        import torch
        from torch.nn import functional

        weight = own["weight"]
        if len(weight) == 1:
            row = x.squeeze(0)
            return (functional.embedding(row, weight.squeeze(0)) * (row != 0).unsqueeze(-1)).unsqueeze(0)
        first = torch.arange(len(weight), dtype=torch.int64, device=x.device) * weight.shape[1]
        rows = x + first.view(-1, *[1] * (x.dim() - 1))
        return functional.embedding(rows, weight.flatten(0, 1)) * (x != 0).unsqueeze(-1)

    def _num_tokens(self, seen: RowInfo) -> int:
        assert seen.tokens is not None, "rows of numbers have been refused"
        return seen.tokens
