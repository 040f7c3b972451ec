"""Residual blocks: layers whose input is added to their output.

Source: He et al. 2016, Deep residual learning for image recognition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.layers.base import Layer
from regcore.layers.chain import build_module, complete, output_of
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here

    AnyLayer = Layer


class Residual(Layer):
    """Adds to its rows what the layers inside make of them."""

    summary: ClassVar[str] = "A residual block: what the layers inside give is added to what they get."
    formula: ClassVar[str] = "y = x + f(x),  f = layer_n ∘ … ∘ layer_1"
    source: ClassVar[str] = "He et al. 2016, Deep residual learning for image recognition"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "linear", "features": 32},
            {"kind": "residual", "layers": [{"kind": "linear", "features": 32}, {"kind": "activation"}]},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["residual"] = "residual"
    layers: list[AnyLayer] = Field(max_length=1000)
    """From input to output; the last one gives rows of the shape that the first one gets."""

    def completed(self, seen: RowInfo, num_outputs: int | None) -> Sequence[Layer]:
        return (self.with_children(complete(self.layers, seen, None)),)

    def output(self, seen: RowInfo) -> RowInfo:
        given = output_of(self.layers, seen)
        if given != seen:
            raise ValueError(
                f"the layers inside must keep the shape of their rows, to which their outputs are added; they turn "
                f"{_described(seen)} into {_described(given)}. Change one of them, or add one that restores the shape"
            )
        return seen

    def children(self) -> Sequence[Layer]:
        return self.layers

    def with_children(self, children: Sequence[Layer]) -> Self:
        return self.model_copy(update={"layers": list(children)})

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        if not self.layers:
            yield Doubt(
                "/layers",
                "empty_residual",
                "without layers inside, the block adds its rows to themselves: it doubles them.",
                "Put layers inside, or leave the block out.",
            )

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import ResidualChain

        return build_module(self.layers, seen, ResidualChain(), inside=True)

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """One addition for all members; the layers inside take their own forms."""
        return x + here.inner(x)


def _described(row: RowInfo) -> str:
    return f"{row.shape}{' of varying length' if row.varies else ''}"
