"""Multilayer perceptrons."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from regcore.layers import Activation, Layer, Linear
from regcore.layers.activation import ActivationName
from regcore.models.base import MAX_LAYERS, Model
from regcore.shapes import RowInfo

Features = Annotated[int, Field(ge=1)]


class MLPModel(Model):
    """Fully connected hidden layers with an activation after each."""

    summary: ClassVar[str] = "A multilayer perceptron: hidden linear layers, each with an activation, and an output."
    formula: ClassVar[str] = "f(x) = W_n φ(… φ(W_1 x + b_1) …) + b_n"
    source: ClassVar[str] = "Rumelhart, Hinton & Williams 1986"
    example: ClassVar[dict[str, Any]] = {"kind": "mlp", "hidden": [32], "activation": "relu"}

    kind: Literal["mlp"] = "mlp"
    hidden: list[Features] = Field(min_length=1, max_length=MAX_LAYERS)
    """Width of each hidden layer; for none, use the model `linear`."""
    activation: ActivationName = "relu"
    """After each hidden layer."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        layers: list[Layer] = []
        for features in self.hidden:
            layers += [Linear(features=features), Activation(name=self.activation)]
        return [*layers, Linear()]

    @property
    def num_written(self) -> int:
        return len(self.hidden)
