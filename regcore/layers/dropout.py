"""Dropout as a layer; the regularizer `dropout` inserts it.

Source: Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.layers.base import Layer
from regcore.layers.batch_norm import BatchNorm
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here

_LARGE_SHARE: Final = 0.95
"""A p from which 32 hidden units are reduced to one or two."""


class Dropout(Layer):
    """Zeroes each value with probability p while training, and scales the rest so that the mean stays."""

    summary: ClassVar[str] = "Zeroes each value with probability p while training; identity in evaluation."
    formula: ClassVar[str] = "y = x · m/(1 − p),  m ~ Bernoulli(1 − p)"
    source: ClassVar[str] = "Srivastava et al. 2014"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "linear", "features": 32},
            {"kind": "activation"},
            {"kind": "dropout", "p": 0.2},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"p"})

    only_in_training: ClassVar[bool] = True
    draws_by_step: ClassVar[bool] = True

    kind: Literal["dropout"] = "dropout"
    p: float = Field(default=0.5, ge=0, lt=1)
    """Probability that a value is dropped."""

    @property
    def is_random(self) -> bool:
        return self.p > 0

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        if self.p >= _LARGE_SHARE:
            yield Doubt(
                "/p",
                "drops_nearly_all",
                f"of 1,000 values {1000 * (1 - self.p):.3g} are kept in a step, each multiplied by "
                f"{1 / (1 - self.p):.3g}: few networks train so.",
                "Lower p, e.g. to 0.5.",
            )

    def doubts_before(self, following: Layer) -> Iterator[Doubt]:
        if isinstance(following, Dropout):
            yield Doubt(
                "",
                "dropout_twice",
                "Two dropout layers follow each other: together they drop more than either says.",
                "Keep one of them.",
            )
        if isinstance(following, BatchNorm):
            yield Doubt(
                "",
                "dropout_before_batch_norm",
                "Dropout in front of batch_norm: it makes rows vary more while training than in evaluation, whose "
                "running variance is then too large (Li et al. 2019).",
                "Put dropout behind the last batch_norm.",
            )

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        return nn.Dropout(self.p)

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """Each member's masks are drawn from its own stream, so that they do not depend on the others."""
        chances = [member.p for member in here.members]
        if not here.at.training or not any(chances):
            return x
        return (x * here.at.kept(chances, x.shape[1:], x, "mask", here.label)).to(x.dtype)
