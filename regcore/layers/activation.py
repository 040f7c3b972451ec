"""Elementwise non-linearities, by their torch names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field

from regcore.layers.base import Layer
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here

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
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [{"kind": "linear", "features": 32}, {"kind": "activation", "name": "tanh"}, {"kind": "linear"}],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    is_nonlinearity: ClassVar[bool] = True
    gives_hidden_units: ClassVar[bool] = True

    kind: Literal["activation"] = "activation"
    name: ActivationName = Field(default="relu")
    """Which function."""

    @property
    def given_label(self) -> None:
        """None: an activation's `name` is its function, not a label."""

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        return cast("nn.Module", getattr(nn, _MODULES[self.name])())

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """One call for all members."""
        from torch.nn import functional

        return cast("Tensor", getattr(functional, self.name)(x))
