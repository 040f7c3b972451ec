"""Long short-term memory.

Source: Hochreiter & Schmidhuber 1997, Long short-term memory; with the forget gate of Gers et al. 2000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.recurrent import Recurrent
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import nn


class Lstm(Recurrent):
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
    num_gates: ClassVar[int] = 4

    kind: Literal["lstm"] = "lstm"

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.recurrence import Lstm as LstmModule

        return LstmModule(*self._sizes(seen), batch_first=True, bidirectional=self.bidirectional)
