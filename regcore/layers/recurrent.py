"""The base of recurrent layers: they read a sequence step by step, and give what they show at each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from regcore.doubts import Doubt
from regcore.layers.base import Layer
from regcore.layers.global_pool import GlobalPool
from regcore.layers.image_rows import on_sequence, sequence
from regcore.shapes import First, RowInfo, TensorInfo


class Recurrent(Layer):
    """One of torch's recurrent networks; its first values too.

    The general `forward`, because no other form is faster: without the module it takes as long, over packed rows of
    varying length twice to four times as long, and as one recurrence of all members up to 1.4 times.
    """

    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    gives_hidden_units: ClassVar[bool] = True
    num_gates: ClassVar[int]
    """How many rows of its matrices a unit has."""

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
        return seen.of(num_steps, self.num_directions * self.hidden)

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        _, features = sequence(self.kind, seen)
        first: First = ("uniform", 1 / math.sqrt(self.hidden))
        gates, infos = self.num_gates * self.hidden, []
        for number in range(self.num_layers):
            inputs = self.num_directions * self.hidden if number else features
            for suffix in (f"_l{number}", f"_l{number}_reverse")[: self.num_directions]:
                infos += [
                    TensorInfo(f"weight_ih{suffix}", (gates, inputs), "weight", "oi", first),
                    TensorInfo(f"weight_hh{suffix}", (gates, self.hidden), "weight", "oi", first),
                    TensorInfo(f"bias_ih{suffix}", (gates,), "bias", "o", first),
                    TensorInfo(f"bias_hh{suffix}", (gates,), "bias", "o", first),
                ]
        return infos

    def num_values(self, seen: RowInfo) -> int:
        num_steps, _ = sequence(self.kind, seen)
        # The gates, a memory, and the output.
        return (self.num_gates + 2) * num_steps * self.num_directions * self.hidden * self.num_layers

    def doubts_before(self, following: Layer) -> Iterator[Doubt]:
        if self.bidirectional and isinstance(following, GlobalPool) and following.method in ("first", "last"):
            blind = "forward" if following.method == "first" else "backward"
            yield Doubt(
                "",
                "one_direction_is_blind",
                f"at a sequence's {following.method} step the {blind} direction has read that step alone.",
                "Pool by ends, mean or max, or leave bidirectional out.",
            )

    @property
    def num_directions(self) -> int:
        """1, or 2 if it reads backward too."""
        return 1 + self.bidirectional

    def _sizes(self, seen: RowInfo) -> tuple[int, int, int]:
        """What torch's modules take first: features, hidden and num_layers."""
        _, features = sequence(self.kind, seen)
        return features, self.hidden, self.num_layers
