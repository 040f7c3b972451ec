"""Models of torchvision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import ValidationInfo, field_validator

from regcore.layers import Layer
from regcore.layers.torchvision import SOURCE, ModelName, Torchvision, read_table
from regcore.models.base import Model
from regcore.shapes import RowInfo

_DEFAULT = "DEFAULT"


class TorchvisionModel(Model):
    """A model of torchvision by its name there."""

    summary: ClassVar[str] = "A model of torchvision, opaque: its tensors keep their names, nothing is inserted in it."
    formula: ClassVar[str] = "f(x) as in torchvision.models, with as many outputs as the task has"
    source: ClassVar[str] = SOURCE
    example: ClassVar[dict[str, Any]] = {"kind": "torchvision", "name": "resnet18", "small_images": False}
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "digits", "train_limit": 128}
    # Like its layer.
    member_fields: ClassVar[frozenset[str] | None] = None

    kind: Literal["torchvision"] = "torchvision"
    name: ModelName
    """Which model, by its name in torchvision.models."""
    weights: str | None = None
    """null: it begins with random weights. `DEFAULT`, or torchvision's name of pretrained ones, as `IMAGENET1K_V1`: the
    operator has their file, and what does not fit (the outputs, the first layer of small images) begins at random."""
    small_images: bool = True
    """Whether it begins as for images of about 32×32, and not of 224×224: with a 3×3 convolution of stride 1 and no
    pooling after it; ConvNeXt and Swin with patches of 2×2, ViT of 4×4; VGG without its last pooling."""

    @field_validator("weights")
    @classmethod
    def _weights_that_there_are(cls, weights: str | None, info: ValidationInfo) -> str | None:
        name = info.data.get("name")
        if weights is None or name is None:
            return weights
        table = read_table()[name]
        if weights == _DEFAULT:
            return str(table["default_weights"])
        if weights not in table["weights"]:
            known = ", ".join([_DEFAULT, *table["weights"]])
            raise ValueError(
                f"must be null, for random first weights, or for {name} one of {known}; received {weights!r:.80}"
            )
        return weights

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        return [Torchvision(name=self.name, small_images=self.small_images)]

    @property
    def pretrained(self) -> str | None:
        """The file of its pretrained weights, by torchvision's name of it; None if it begins at random."""
        return None if self.weights is None else str(read_table()[self.name]["weights"][self.weights])
