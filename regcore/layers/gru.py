"""Gated recurrent units.

Source: Cho et al. 2014, Learning phrase representations using RNN encoder-decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.recurrent import Recurrent
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import nn


class Gru(Recurrent):
    """Reads a sequence step by step; gates say how much of what it holds is kept, and how much is used."""

    summary: ClassVar[str] = "Gated recurrent units: as an LSTM, with a gate less and no memory beside its output."
    formula: ClassVar[str] = (
        "h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t−1},  n_t = tanh(W x_t + b + r_t ⊙ (U h_{t−1} + d));  "
        "r, z = σ(W x_t + b + U h_{t−1} + d)"
    )
    source: ClassVar[str] = "Cho et al. 2014; as torch.nn.GRU, its first values too"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "gru", "hidden": 16},
            {"kind": "global_pool", "method": "last"},
            {"kind": "linear"},
        ],
    }
    num_gates: ClassVar[int] = 3

    kind: Literal["gru"] = "gru"

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.recurrence import Gru as GruModule

        return GruModule(*self._sizes(seen), batch_first=True, bidirectional=self.bidirectional)
