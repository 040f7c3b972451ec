"""An image as the sequence of its rows, for layers that read sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from regcore.layers.base import Layer
from regcore.shapes import RowInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

    from regcore.layers.forward import Here


class ImageRows(Layer):
    """(C, H, W) becomes (H, C·W): the rows of pixels from top to bottom."""

    summary: ClassVar[str] = "An image as the sequence of its rows; put in by itself in front of a sequence layer."
    formula: ClassVar[str] = "(C, H, W) → (H, C·W)"
    source: ClassVar[str] = "Le, Jaitly & Hinton 2015, A simple way to initialize recurrent networks, by rows"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [{"kind": "image_rows"}, {"kind": "global_pool", "method": "max"}, {"kind": "linear"}],
    }
    member_fields: ClassVar[frozenset[str] | None] = frozenset()

    kind: Literal["image_rows"] = "image_rows"

    def output(self, seen: RowInfo) -> RowInfo:
        if len(seen.shape) != 3:
            raise ValueError(f"image_rows expects (C, H, W); it gets {seen.shape}")
        channels, height, width = seen.shape
        return seen.of(height, channels * width, varies=False)

    def module(self, seen: RowInfo) -> nn.Module:
        from regcore.modules import ImageRows as ImageRowsModule

        return ImageRowsModule()

    def forward(self, x: Tensor, own: Mapping[str, Tensor], here: Here) -> Tensor:
        """A view of images of one channel, else a copy."""
        return x.transpose(-3, -2).flatten(-2)


def on_sequence(layer: Layer, seen: RowInfo) -> Sequence[Layer]:
    """The layer, with what makes a sequence of an image in front of it."""
    return (ImageRows(), layer) if len(seen.shape) == 3 else (layer,)


def sequence(kind: str, seen: RowInfo) -> tuple[int, int]:
    """Steps and features of a sequence. Raises ValueError for other rows."""
    if len(seen.shape) != 2:
        raise ValueError(f"{kind} expects (steps, features); it gets {seen.shape}")
    num_steps, features = seen.shape
    return num_steps, features
