"""Long short-term memory.

Source: Hochreiter & Schmidhuber 1997, Long short-term memory; with the forget gate of Gers et al. 2000.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.doubts import Doubt
from regcore.layers.base import Layer
from regcore.layers.global_pool import GlobalPool
from regcore.layers.image_rows import on_sequence, sequence
from regcore.shapes import First, RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import nn


class Lstm(Layer):
    """Reads a sequence step by step, with a memory that gates keep, fill and show."""

    summary: ClassVar[str] = "Long short-term memory: reads a sequence step by step, and gives what it shows at each."
    formula: ClassVar[str] = (
        "c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t,  h_t = o_t ⊙ tanh c_t;  "
        "i, f, o = σ(W x_t + b + U h_{t−1} + d),  g = tanh of the same"
    )
    source: ClassVar[str] = "Hochreiter & Schmidhuber 1997; Gers et al. 2000; as torch.nn.LSTM, its first values too"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "lstm", "hidden": 16},
            {"kind": "global_pool", "method": "last"},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["lstm"] = "lstm"
    hidden: int = Field(ge=1)
    """Units, each of which gives one number at each step."""
    num_layers: int = Field(default=1, ge=1, le=100)
    """How many stand one above the other."""
    bidirectional: bool = False
    """Whether as many units read the sequence backward; their outputs come after those of the others."""

    def completed(self, seen: RowInfo, num_outputs: int | None) -> Sequence[Layer]:
        return on_sequence(self, seen)

    def output(self, seen: RowInfo) -> RowInfo:
        num_steps, _ = sequence(self.kind, seen)
        return seen.of(num_steps, self._num_directions * self.hidden)

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        _, features = sequence(self.kind, seen)
        first: First = ("uniform", 1 / math.sqrt(self.hidden))
        gates, infos = 4 * self.hidden, []
        for number in range(self.num_layers):
            inputs = self._num_directions * self.hidden if number else features
            for suffix in (f"_l{number}", f"_l{number}_reverse")[: self._num_directions]:
                infos += [
                    TensorInfo(f"weight_ih{suffix}", (gates, inputs), "weight", "oi", first),
                    TensorInfo(f"weight_hh{suffix}", (gates, self.hidden), "weight", "oi", first),
                    TensorInfo(f"bias_ih{suffix}", (gates,), "bias", "o", first),
                    TensorInfo(f"bias_hh{suffix}", (gates,), "bias", "o", first),
                ]
        return infos

    def num_values(self, seen: RowInfo) -> int:
        num_steps, _ = sequence(self.kind, seen)
        return 6 * num_steps * self._num_directions * self.hidden * self.num_layers  # four gates, memory, output

    def doubts_before(self, following: Layer) -> Iterator[Doubt]:
        if self.bidirectional and isinstance(following, GlobalPool) and following.method in ("first", "last"):
            blind = "forward" if following.method == "first" else "backward"
            yield Doubt(
                "",
                "one_direction_is_blind",
                f"at a sequence's {following.method} step the {blind} direction has read that step alone.",
                "Pool by mean or max, or leave bidirectional out.",
            )

    # The general `forward`, because no other form is faster: without the module it takes as long, over packed rows of
    # varying length twice to four times as long, and as one recurrence of all members up to 1.4 times.
    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import Lstm as LstmModule

        _, features = sequence(self.kind, seen)
        return LstmModule(features, self.hidden, self.num_layers, batch_first=True, bidirectional=self.bidirectional)

    @property
    def _num_directions(self) -> int:
        return 1 + self.bidirectional
