"""What is trained: a list of layers, or a short way to write one."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from regcore.frozen import Frozen
from regcore.layers import Activation, AnyLayer, Linear
from regcore.layers.activation import ActivationName

MAX_LAYERS = 10_000
"""More than any network has. The server's ceiling is far below; this one bounds the mistakes that a list may hold."""

Features = Annotated[int, Field(ge=1)]


class Model(Frozen):
    """A model's spec, which can be expanded to layers."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]

    kind: str

    def expand(self) -> list[AnyLayer]:
        """The model's layers, the output layer last."""
        raise NotImplementedError


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

    def expand(self) -> list[AnyLayer]:
        return list(self.layers)


class LinearModel(Model):
    """One linear layer: linear or logistic regression."""

    summary: ClassVar[str] = "One linear layer: linear, logistic or softmax regression, by the loss."
    formula: ClassVar[str] = "f(x) = Wx + b"
    source: ClassVar[str] = "Hastie, Tibshirani & Friedman 2009, The Elements of Statistical Learning, ch. 3–4"
    example: ClassVar[dict[str, Any]] = {"kind": "linear"}

    kind: Literal["linear"] = "linear"
    bias: bool = True
    """Whether an intercept is learned."""

    def expand(self) -> list[AnyLayer]:
        return [Linear(bias=self.bias)]


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

    def expand(self) -> list[AnyLayer]:
        hidden: list[AnyLayer] = []
        for features in self.hidden:
            hidden += [Linear(features=features), Activation(name=self.activation)]
        return [*hidden, Linear()]


MODELS: tuple[type[Model], ...] = (LayersModel, LinearModel, MLPModel)
AnyModel = Annotated[LayersModel | LinearModel | MLPModel, Field(discriminator="kind")]
