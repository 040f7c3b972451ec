"""Multilayer perceptrons."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from regcore.layers import Activation, BatchNorm, Dropout, Layer, LayerNorm, Linear, Residual
from regcore.layers.activation import ActivationName
from regcore.models.base import MAX_LAYERS, Model
from regcore.models.first_layers import EMBEDDING, as_vector
from regcore.shapes import RowInfo

Features = Annotated[int, Field(ge=1)]


class MLPModel(Model):
    """Fully connected hidden layers with an activation after each; with `residual`, a residual network for tables.

    Of text it sees the mean of the tokens' vectors, each of 64 numbers, and of sequences of varying length the mean
    over their steps.
    """

    summary: ClassVar[str] = "A multilayer perceptron: hidden linear layers, each with an activation, and an output."
    formula: ClassVar[str] = "f(x) = W_n φ(… φ(W_1 x + b_1) …) + b_n;  residual: x ← x + drop(V·drop(φ(U·norm x)))"
    source: ClassVar[str] = (
        "Rumelhart, Hinton & Williams 1986; residual: the ResNet of Gorishniy et al. 2021, Revisiting deep learning "
        "models for tabular data"
    )
    example: ClassVar[dict[str, Any]] = {"kind": "mlp", "hidden": [32], "activation": "relu"}
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"dropout"})
    deep_field: ClassVar[str] = "hidden"

    kind: Literal["mlp"] = "mlp"
    hidden: list[Features] = Field(min_length=1, max_length=MAX_LAYERS)
    """Width of each hidden layer; for none, use the model `linear`. With `residual`, of each block's hidden layer; what
    the blocks add to is as wide as the first."""
    activation: ActivationName = "relu"
    """After each hidden layer."""
    norm: Literal["batch", "layer"] | None = None
    """Batch or layer normalization, between each hidden layer and its activation; with `residual`, at the beginning of
    each block and in front of the output."""
    residual: bool = False
    """Whether what each block gives is added to what it gets."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Probability that a value is dropped after each activation; with `residual`, also of what a block adds."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        first = as_vector(row, EMBEDDING)
        return [*first, *(self._residual() if self.residual else self._plain()), Linear()]

    @property
    def num_written(self) -> int:
        return len(self.hidden)

    def structure(self) -> dict[str, Any]:
        # Without dropout there are no such layers.
        return super().structure() | {"drops": self.dropout > 0}

    def _plain(self) -> Sequence[Layer]:
        return [layer for features in self.hidden for layer in (Linear(features=features), *self._activated())]

    def _residual(self) -> Sequence[Layer]:
        width = self.hidden[0]
        blocks = [
            Residual(
                layers=[
                    *self._norms(),
                    Linear(features=features),
                    Activation(name=self.activation),
                    *self._drops(),
                    Linear(features=width),
                    *self._drops(),
                ]
            )
            for features in self.hidden
        ]
        return [Linear(features=width), *blocks, *self._norms(), Activation(name=self.activation)]

    def _activated(self) -> Sequence[Layer]:
        return [*self._norms(), Activation(name=self.activation), *self._drops()]

    def _norms(self) -> Sequence[Layer]:
        return [] if self.norm is None else [BatchNorm() if self.norm == "batch" else LayerNorm()]

    def _drops(self) -> Sequence[Layer]:
        return [Dropout(p=self.dropout)] if self.dropout else []
