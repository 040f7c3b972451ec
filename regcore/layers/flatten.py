"""Merges all axes of a row into one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.base import Layer
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here


class Flatten(Layer):
    """(C, H, W) becomes (C·H·W,)."""

    summary: ClassVar[str] = "Puts all values of a row into one vector."
    formula: ClassVar[str] = "(d₁, d₂, …) → (d₁·d₂·…)"
    source: ClassVar[str] = "torch.nn.Flatten"
    example: ClassVar[dict[str, Any]] = {"kind": "layers", "layers": [{"kind": "flatten"}, {"kind": "linear"}]}
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    is_affine: ClassVar[bool] = True
    takes_tokens: ClassVar[bool] = True

    kind: Literal["flatten"] = "flatten"

    def output(self, seen: RowInfo) -> RowInfo:
        if seen.varies:
            raise ValueError(
                f"{self.kind} expects rows of one length (put a global_pool in front of it); it gets {seen.shape} of "
                "varying length"
            )
        return RowInfo((seen.num_values,), seen.tokens)

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        return nn.Flatten()

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """A view."""
        return x.flatten(2)
