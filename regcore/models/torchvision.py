"""Models of torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from regcore.layers import Layer
from regcore.layers.torchvision import ModelName, Torchvision
from regcore.models.base import Model
from regcore.shapes import RowInfo


class TorchvisionModel(Model):
    """A model of torchvision by its name there."""

    summary: ClassVar[str] = "A model of torchvision, opaque: its tensors keep their names, nothing is inserted in it."
    formula: ClassVar[str] = "f(x) as in torchvision.models, with as many outputs as the task has"
    source: ClassVar[str] = "resnet18: He et al. 2016, Deep residual learning for image recognition"
    example: ClassVar[dict[str, Any]] = {"kind": "torchvision", "name": "resnet18", "small_images": False}
    # Like its layer.
    member_fields: ClassVar[frozenset[str] | None] = None

    kind: Literal["torchvision"] = "torchvision"
    name: ModelName
    """Which model, by its name in torchvision.models."""
    weights: None = None
    """null: it begins with random weights. Pretrained weights are not offered yet."""
    small_images: bool = True
    """Whether it begins with a 3×3 convolution of stride 1 and no pooling, for images of about 32×32; false for images
    of about 224×224."""

    @field_validator("weights", mode="before")
    @classmethod
    def _no_weights_yet(cls, weights: Any) -> Any:
        if weights is not None:
            raise ValueError(
                f"must be null, for random first weights; received {weights!r}. Pretrained weights are not offered "
                "yet: leave it out"
            )
        return weights

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        return [Torchvision(name=self.name, small_images=self.small_images)]
