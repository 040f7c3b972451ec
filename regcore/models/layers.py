"""The general form: any list of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from regcore.layers import Layer
from regcore.models.base import MAX_LAYERS, Model
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    AnyLayer = Layer


class LayersModel(Model):
    """The general form: any list of layers."""

    summary: ClassVar[str] = "A list of layers, written out."
    formula: ClassVar[str] = "f = layer_n ∘ … ∘ layer_1"
    source: ClassVar[str] = "The inner form that every other model is written in"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "flatten"},
            {"kind": "linear", "features": 32},
            {"kind": "activation", "name": "relu"},
            {"kind": "dropout", "p": 0.2},
            {"kind": "linear"},
        ],
    }

    kind: Literal["layers"] = "layers"
    layers: list[AnyLayer] = Field(min_length=1, max_length=MAX_LAYERS)
    """From input to output; the last linear may omit `features`."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        return self.layers

    @property
    def written_layers(self) -> Sequence[Layer]:
        return self.layers

    @property
    def num_written(self) -> int:
        return len(self.layers)
