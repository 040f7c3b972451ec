"""The general form: any list of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from regcore.layers import Layer, num_layers, num_levels
from regcore.models.base import MAX_LAYERS, Model
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    AnyLayer = Layer

MAX_LEVELS: Final = 16
"""A spec is JSON of 64 levels at most, of which each layer takes two."""


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
        return num_layers(self.layers)

    @model_validator(mode="after")
    def _is_not_too_deep(self) -> Self:
        levels = num_levels(self.layers)
        if levels > MAX_LEVELS:
            raise ValueError(
                f"layers may hold others at most {MAX_LEVELS} levels deep; received {levels} levels. Put some of them "
                "one after the other"
            )
        return self
