"""Elementwise non-linearities, by their torch names."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, cast

from pydantic import Field

from regcore.layers.base import Layer, LayerContext, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

ActivationName = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]

_MODULES = {
    "relu": "ReLU",
    "leaky_relu": "LeakyReLU",
    "elu": "ELU",
    "selu": "SELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
}


class Activation(Layer):
    """Elementwise, so that layers on both sides do not collapse into one."""

    summary: ClassVar[str] = "Elementwise non-linearity."
    formula: ClassVar[str] = "y = φ(x)"
    source: ClassVar[str] = "torch.nn, by the function's name there"
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["activation"] = "activation"
    name: ActivationName = Field(default="relu")
    """Which function."""

    @property
    def given_label(self) -> None:
        """None: an activation's `name` is its function, not a label."""

    def module(self, input_shape: Shape) -> nn.Module:
        from torch import nn

        return cast("nn.Module", getattr(nn, _MODULES[self.name])())

    def forward(self, x: Tensor, parameters: dict[str, Tensor], context: LayerContext) -> Tensor:
        from torch.nn import functional

        return cast("Tensor", getattr(functional, self.name)(x))
