"""The simple recurrent network of Elman.

Source: Elman 1990, Finding structure in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.recurrent import Recurrent
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import nn


class Elman(Recurrent):
    """Reads a sequence step by step, and holds at each what it gives."""

    summary: ClassVar[str] = (
        "A simple recurrent network: a step sees its input and the step before it. For short sequences."
    )
    formula: ClassVar[str] = "h_t = φ(W x_t + b + U h_{t−1} + d)"
    source: ClassVar[str] = "Elman 1990, Finding structure in time; as torch.nn.RNN, its first values too"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "elman", "hidden": 16},
            {"kind": "global_pool", "method": "last"},
            {"kind": "linear"},
        ],
    }
    num_gates: ClassVar[int] = 1

    kind: Literal["elman"] = "elman"
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    """φ."""

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.recurrence import Elman as ElmanModule

        return ElmanModule(
            *self._sizes(seen),
            batch_first=True,
            bidirectional=self.bidirectional,
            nonlinearity=self.nonlinearity,
        )
