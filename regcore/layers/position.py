"""The place of each step in its sequence, which attention does not see by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from regcore.layers.base import Layer
from regcore.layers.image_rows import on_sequence, sequence
from regcore.shapes import RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here

_FIRST_DEVIATION: Final = 0.02
"""As in BERT: small, so that places do not outweigh the steps' own values."""


class Position(Layer):
    """Adds to each step a vector of its place."""

    summary: ClassVar[str] = "Adds to each step of a sequence a vector of its place, learned or of sines and cosines."
    formula: ClassVar[str] = (
        "y_t = x_t + p_t;  sinusoidal: p_t[2i] = sin(t/10000^(2i/D)), p_t[2i + 1] = cos(t/10000^(2i/D))"
    )
    source: ClassVar[str] = (
        "Vaswani et al. 2017, Attention is all you need, §3.5; learned as in Devlin et al. 2019, BERT"
    )
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "position", "method": "sinusoidal"},
            {"kind": "linear", "features": 16, "per_step": True},
            {"kind": "attention", "num_heads": 2},
            {"kind": "global_pool"},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["position"] = "position"
    method: Literal["learned", "sinusoidal"] = "learned"
    """`learned`: one vector for each place, which begins near zero; `sinusoidal`: fixed waves of many lengths."""

    def completed(self, seen: RowInfo, num_outputs: int | None) -> Sequence[Layer]:
        return on_sequence(self, seen)

    def output(self, seen: RowInfo) -> RowInfo:
        sequence(self.kind, seen)
        return seen

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        if self.method == "sinusoidal":
            return []
        return [TensorInfo("weight", seen.shape, "embedding", "oi", ("normal", _FIRST_DEVIATION))]

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import LearnedPositions, SinusoidalPositions

        if self.method == "sinusoidal":
            return SinusoidalPositions()
        return LearnedPositions(*sequence(self.kind, seen), _FIRST_DEVIATION)

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """One addition for all members."""
        from regcore.modules import sinusoids

        if self.method == "sinusoidal":
            return x + sinusoids(x.shape[2], x.shape[3], x)
        return x + own["weight"][:, : x.shape[2]].unsqueeze(1)
