"""Whole models of torchvision, as one opaque layer.

Their tensors keep torchvision's own names. What they are is known without torch from `torchvision.json`, which
`torchvision_table.py` writes. To add a model, add its name to `ModelName`, and write the table again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

from pydantic import Field

from regcore.layers.base import Layer
from regcore.layers.sides import image
from regcore.shapes import RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import nn

ModelName = Literal["resnet18"]

_SMALL_WINDOW: Final = 3


class Torchvision(Layer):
    """A model of torchvision, from images to the task's outputs."""

    summary: ClassVar[str] = "A whole model of torchvision; nothing can be inserted in it, and its names are kept."
    formula: ClassVar[str] = "f(x) as in torchvision.models"
    source: ClassVar[str] = "resnet18: He et al. 2016, Deep residual learning for image recognition"
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [{"kind": "torchvision", "name": "resnet18", "small_images": False}],
    }
    # A member in a pass takes as long as a run of its own, and a large model needs all the memory: it trains alone.
    member_fields: ClassVar[frozenset[str] | None] = None
    gives_outputs: ClassVar[bool] = True
    is_whole: ClassVar[bool] = True
    draws: ClassVar[bool] = True

    kind: Literal["torchvision"] = "torchvision"
    name: ModelName
    """Which model, by its name in torchvision.models."""
    features: int | None = Field(default=None, ge=1)
    """Outputs; null for the task's."""
    small_images: bool = True
    """Whether it begins with a 3×3 convolution of stride 1 and no pooling, for images of about 32×32, and not as for
    224×224."""

    @property
    def given_label(self) -> str:
        """Empty: its tensors keep their own names."""
        return ""

    def completed(self, seen: RowInfo, num_outputs: int | None) -> Sequence[Layer]:
        if self.features is None and num_outputs is not None:
            return (self.model_copy(update={"features": num_outputs}),)
        return (self,)

    def output(self, seen: RowInfo) -> RowInfo:
        image(self.kind, seen)
        if self.features is None:
            raise ValueError("features may be omitted only if it is the model's last layer")
        return seen.of(self.features)

    def least_rows(self, seen: RowInfo) -> int:
        # The last batch normalization may see images of one pixel.
        return 2

    def num_values(self, seen: RowInfo) -> int:
        _, height, width = image(self.kind, seen)
        per_pixel: float = self._table["values_per_pixel"]["small" if self.small_images else "plain"]
        return round(per_pixel * height * width)

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        shapes = self._own_shapes(seen)
        return [
            TensorInfo(name, shapes.get(name, tuple(shape)), role, axes, None, dtype)
            for name, shape, role, axes, dtype in self._table["tensors"]
        ]

    def module(self, seen: RowInfo) -> nn.Module:
        num_channels, _, _ = image(self.kind, seen)
        return build(
            self.name,
            num_channels=num_channels,
            num_outputs=self.output(seen).num_values,
            small_images=self.small_images,
        )

    @property
    def _table(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", read_table()[self.name])

    def _own_shapes(self, seen: RowInfo) -> dict[str, tuple[int, ...]]:
        """Of the tensors that depend on the images and on the task."""
        table = self._table
        stem, head = f"{table['stem']}.weight", f"{table['head']}.weight"
        known = {name: shape for name, shape, *_ in table["tensors"]}
        window = [_SMALL_WINDOW] * 2 if self.small_images else known[stem][2:]
        num_outputs = self.output(seen).num_values
        return {
            stem: (known[stem][0], seen.shape[0], *window),
            head: (num_outputs, known[head][1]),
            f"{table['head']}.bias": (num_outputs,),
        }


@cache
def read_table() -> dict[str, Any]:
    """Each model's tensors, as `torchvision_table.py` found them."""
    read: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return read


def build(name: str, *, num_channels: int, num_outputs: int, small_images: bool) -> nn.Module:
    """A model with first values drawn from torch's global generator, as torchvision draws them.

    Args:
        name: In torchvision.models.
        num_channels: Of the images.
        num_outputs: Of the last layer.
        small_images: As in the layer.
    """
    from torch import nn
    from torchvision.models import get_model

    table = read_table()[name]
    model: nn.Module = get_model(name, weights=None, num_classes=num_outputs)
    stem = model.get_submodule(table["stem"])
    assert isinstance(stem, nn.Conv2d), "the table names a convolution"
    if small_images or stem.in_channels != num_channels:
        window, stride = (_SMALL_WINDOW, 1) if small_images else (stem.kernel_size[0], stem.stride[0])
        has_bias = stem.bias is not None
        other = nn.Conv2d(num_channels, stem.out_channels, window, stride, padding=window // 2, bias=has_bias)
        nn.init.kaiming_normal_(other.weight, mode="fan_out", nonlinearity="relu")
        model.set_submodule(table["stem"], other)
    if small_images and table["max_pool"] is not None:
        model.set_submodule(table["max_pool"], nn.Identity())
    return model
