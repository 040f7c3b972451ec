"""Recurrent networks."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.layers import Elman, GlobalPool, Gru, Layer, Linear, Lstm
from regcore.models.base import Model
from regcore.models.first_layers import EMBEDDING, as_steps
from regcore.shapes import RowInfo

_CELLS: Final = {"lstm": Lstm, "gru": Gru, "elman": Elman}


class RNNModel(Model):
    """Recurrent layers over steps, one vector of what they show, and an output."""

    summary: ClassVar[str] = "A recurrent network over text, over sequences of numbers, or over an image's rows."
    formula: ClassVar[str] = "f(x) = W·pool(h_1, …, h_T) + b,  h_t = cell(x_t, h_{t−1})"
    source: ClassVar[str] = "Hochreiter & Schmidhuber 1997 (lstm); Cho et al. 2014 (gru); Elman 1990 (elman)"
    example: ClassVar[dict[str, Any]] = {"kind": "rnn", "cell": "gru", "hidden": 32}
    deep_field: ClassVar[str] = "num_layers"

    kind: Literal["rnn"] = "rnn"
    cell: Literal["lstm", "gru", "elman"] = "lstm"
    """The recurrent layer."""
    hidden: int = Field(default=64, ge=1)
    """Units of each layer, and of each direction."""
    num_layers: int = Field(default=1, ge=1, le=100)
    """How many stand one above the other."""
    bidirectional: bool = False
    """Whether as many units read backward."""
    embedding: int = Field(default=EMBEDDING, ge=1)
    """Of text: numbers in the vector of a token."""
    pooling: Literal["last", "mean", "max"] = "last"
    """What the output sees: what is shown at the last step (of the backward direction, at the first), or the mean or
    the largest value over all steps."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        cell = _CELLS[self.cell](hidden=self.hidden, num_layers=self.num_layers, bidirectional=self.bidirectional)
        ends = self.pooling == "last" and self.bidirectional
        pool = GlobalPool(method="ends" if ends else self.pooling)
        return [*as_steps(self.kind, row, self.embedding), cell, pool, Linear()]

    @property
    def num_written(self) -> int:
        return self.num_layers
