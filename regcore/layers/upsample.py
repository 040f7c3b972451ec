"""Larger images of the same channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import model_validator

from regcore.layers.base import Layer
from regcore.layers.sides import Sides, image, pair
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import nn


class Upsample(Layer):
    """Makes images larger by repeating pixels, or by lines between them; nothing is learned."""

    summary: ClassVar[str] = "Makes images larger: repeats pixels, or draws lines between them."
    formula: ClassVar[str] = (
        "nearest: y[c, h, w] = x[c, ⌊h/s⌋, ⌊w/s⌋];  bilinear: the mean of the four nearest pixels, weighted by nearness"
    )
    source: ClassVar[str] = "Odena, Dumoulin & Olah 2016, Deconvolution and checkerboard artifacts; torch.nn.Upsample"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [
            {"kind": "pool", "size": 2},
            {"kind": "upsample", "scale_factor": 2, "mode": "nearest"},
            {"kind": "conv2d", "channels": 4, "padding": 1},
            {"kind": "linear"},
        ],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["upsample"] = "upsample"
    scale_factor: Sides | None = None
    """How many times as high and wide; one number for both. If `size` is null too, 2."""
    size: Sides | None = None
    """Height and width of what is given, instead of `scale_factor`."""
    mode: Literal["nearest", "bilinear"] = "nearest"
    """How pixels between the known ones are made."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.scale_factor is not None and self.size is not None:
            raise ValueError(
                f"takes scale_factor or size, not both; received scale_factor={self.scale_factor}, size={self.size}. "
                "Remove one"
            )
        return self

    def output(self, seen: RowInfo) -> RowInfo:
        channels, height, width = image(self.kind, seen)
        if self.size is not None:
            return seen.of(channels, *pair(self.size))
        times = pair(self.scale_factor or 2)
        return seen.of(channels, height * times[0], width * times[1])

    def module(self, seen: RowInfo) -> nn.Module:
        from torch import nn

        _, *sides = self.output(seen).shape
        return nn.Upsample(size=(sides[0], sides[1]), mode=self.mode)
