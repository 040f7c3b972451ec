"""The same values along other axes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from regcore.layers.base import Layer
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here

Length = Annotated[int, Field(ge=-1, le=10**9)]


class Reshape(Layer):
    """(C·H·W,) becomes (C, H, W)."""

    summary: ClassVar[str] = "Gives a row other axes; its values stay in their order."
    formula: ClassVar[str] = "(d₁, d₂, …) → shape,  with as many values"
    source: ClassVar[str] = "torch.nn.Unflatten, torch.Tensor.reshape"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "linear", "features": 32},
            {"kind": "reshape", "shape": [2, 4, 4]},
            {"kind": "conv2d", "channels": 4},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()
    is_affine: ClassVar[bool] = True
    takes_tokens: ClassVar[bool] = True

    kind: Literal["reshape"] = "reshape"
    shape: list[Length] = Field(min_length=1, max_length=8)
    """The lengths of the new axes: (C, H, W) of an image, (steps, features) of a sequence; one may be −1, which stands
    for what is left."""

    @model_validator(mode="after")
    def _says_each_length_but_one(self) -> Self:
        if 0 in self.shape or self.shape.count(-1) > 1:
            raise ValueError(
                f"shape must hold lengths from 1 on, and −1 at most once; received {self.shape}. Say the others"
            )
        return self

    def output(self, seen: RowInfo) -> RowInfo:
        if seen.varies:
            raise ValueError(
                f"reshape expects rows of one length (put a global_pool in front of it); it gets {seen.shape} of "
                "varying length"
            )
        known = math.prod(length for length in self.shape if length > 0)
        if seen.num_values % known or (-1 not in self.shape and seen.num_values != known):
            times = "a multiple of " if -1 in self.shape else ""
            raise ValueError(
                f"reshape to {tuple(self.shape)} expects {times}{known} values in a row; it gets {seen.shape}"
            )
        left = seen.num_values // known
        return RowInfo(tuple(left if length < 0 else length for length in self.shape), seen.tokens)

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import Reshape as ReshapeModule

        return ReshapeModule(self.output(seen).shape)

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """A view where memory allows it."""
        return x.reshape(*x.shape[:2], *here.gives.shape)
