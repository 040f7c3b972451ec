"""Stochastic depth, by surgery: each residual block skips its branch at random, the deeper the more often.

Source: Huang et al. 2016, Deep networks with stochastic depth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, ClassVar, Literal

from pydantic import Field

from regcore.layers import Layer
from regcore.layers.drop_path import DropPath
from regcore.layers.residual import Residual
from regcore.regularizers.base import Regularizer, Stronger


class StochasticDepth(Regularizer):
    """Drops the branches of residual blocks."""

    summary: ClassVar[str] = "Skips each residual block's branch at random, row by row: the last with probability p."
    formula: ClassVar[str] = "x + f_l(x) · m/(1 − p_l),  m ~ Bernoulli(1 − p_l),  p_l = p · l/L  for block l of L"
    source: ClassVar[str] = "Huang et al. 2016: the linear ramp; rescaled while training, as torchvision does"
    example: ClassVar[dict[str, Any]] = {"kind": "stochastic_depth", "p": 0.2}
    example_model: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "linear", "features": 32},
            {"kind": "residual", "layers": [{"kind": "activation"}, {"kind": "linear", "features": 32}]},
            {"kind": "residual", "layers": [{"kind": "activation"}, {"kind": "linear", "features": 32}]},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})
    only_once: ClassVar[bool] = True
    stronger: ClassVar[Stronger] = {"p": "larger"}

    kind: Literal["stochastic_depth"] = "stochastic_depth"
    p: float = Field(ge=0, lt=1)
    """Probability that the last block's branch is dropped; those of the blocks before it rise to it in equal steps."""

    def rewrite(self, layers: Sequence[Layer]) -> Sequence[Layer]:
        num_blocks = sum(1 for _ in _blocks(layers))
        if num_blocks == 0:
            raise ValueError(
                "stochastic_depth drops the branches of residual blocks, and the model has none. Use a model with "
                "residual layers, or dropout"
            )
        chances = (self.p * depth / num_blocks for depth in count(1))
        return _ended(layers, chances)


def _blocks(layers: Sequence[Layer]) -> Iterator[Layer]:
    """Every residual block, from input to output; one inside another comes first."""
    for layer in layers:
        yield from _blocks(layer.children())
        if isinstance(layer, Residual):
            yield layer


def _ended(layers: Sequence[Layer], chances: Iterator[float]) -> list[Layer]:
    """The layers with the branch of each block ended, in the same order, by the next chance."""
    ended: list[Layer] = []
    for layer in layers:
        children = _ended(layer.children(), chances)
        if isinstance(layer, Residual):
            children.append(DropPath(p=next(chances)))
        ended.append(layer.with_children(children) if children else layer)
    return ended
