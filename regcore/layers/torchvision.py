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
from regcore.shapes import Dtype, Role, RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import nn

ModelName = Literal[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext50_32x4d",
    "wide_resnet50_2",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_v2_s",
    "vgg11_bn",
    "vgg16_bn",
    "vit_b_16",
    "convnext_tiny",
    "swin_t",
    "densenet121",
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
]

SOURCE: Final = (
    "torchvision.models: ResNet (He et al. 2016), ResNeXt (Xie et al. 2017), Wide ResNet (Zagoruyko & Komodakis 2016), "
    "MobileNet (Sandler et al. 2018; Howard et al. 2019), EfficientNet (Tan & Le 2019, 2021), VGG (Simonyan & "
    "Zisserman 2015), ViT (Dosovitskiy et al. 2021), ConvNeXt (Liu et al. 2022), Swin (Liu et al. 2021), DenseNet "
    "(Huang et al. 2017), SqueezeNet (Iandola et al. 2016), ShuffleNet (Ma et al. 2018)"
)
_Tensor = tuple[str, Role, str, int | None, Dtype]
"""Name, role, axes, how many axes of the first one's shape it has (None: all), and dtype."""
_WEIGHT: Final[_Tensor] = ("weight", "weight", "oikk", None, "float")
_MATRIX: Final[_Tensor] = ("weight", "weight", "oi", None, "float")
_BIAS: Final[_Tensor] = ("bias", "bias", "o", 1, "float")
_NORM: Final[tuple[_Tensor, ...]] = (("weight", "norm", "o", None, "float"), ("bias", "norm", "o", None, "float"))
GROUPS: Final[dict[str, tuple[_Tensor, ...]]] = {
    "conv": (_WEIGHT,),
    "conv+bias": (_WEIGHT, _BIAS),
    "linear": (_MATRIX,),
    "linear+bias": (_MATRIX, _BIAS),
    "norm": _NORM,
    "batch_norm": (
        *_NORM,
        ("running_mean", "buffer", "o", None, "float"),
        ("running_var", "buffer", "o", None, "float"),
        ("num_batches_tracked", "buffer", "", 0, "int64"),
    ),
    "attention": (
        ("in_proj_weight", "weight", "oi", None, "float"),
        ("in_proj_bias", "bias", "o", 1, "float"),
    ),
    "class_token": (("class_token", "embedding", "oik", None, "float"),),
    "pos_embedding": (("pos_embedding", "embedding", "oik", None, "float"),),
    "layer_scale": (("layer_scale", "norm", "oik", None, "float"),),
    "bias_table": (("relative_position_bias_table", "bias", "oi", None, "float"),),
    "index": (("relative_position_index", "buffer", "o", None, "int64"),),
}
"""The tensors of a module, which the table names together, by the shape of the first."""


class Torchvision(Layer):
    """A model of torchvision, from images to the task's outputs."""

    summary: ClassVar[str] = "A whole model of torchvision; nothing can be inserted in it, and its names are kept."
    formula: ClassVar[str] = "f(x) as in torchvision.models"
    source: ClassVar[str] = SOURCE
    example: ClassVar[dict[str, Any]] = {
        "kind": "layers",
        "layers": [{"kind": "torchvision", "name": "resnet18", "small_images": False}],
    }
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "digits", "train_limit": 128}
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
    """Whether its first layers are those for images of about 32×32, as the model of this name says, and not those for
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
        self._check_images(seen)
        if self.features is None:
            raise ValueError("features may be omitted only if it is the model's last layer")
        return seen.of(self.features)

    def least_rows(self, seen: RowInfo) -> int:
        # The last batch normalization may see images of one pixel.
        return 2 if self._table["normalizes_batches"] else 1

    def num_values(self, seen: RowInfo) -> int:
        _, height, width = image(self.kind, seen)
        per_pixel: float = self._table["values_per_pixel"][self._form]
        return round(per_pixel * height * width)

    def num_products(self, seen: RowInfo) -> int:
        _, height, width = image(self.kind, seen)
        per_pixel: int = self._table["products_per_pixel"][self._form]
        return per_pixel * height * width

    def tensors(self, seen: RowInfo) -> list[TensorInfo]:
        shapes = self._own_shapes(seen)
        return [
            info if info.name not in shapes else TensorInfo(
                info.name, shapes[info.name], info.role, info.axes, None, info.dtype, block=info.block
            )
            for info in known_tensors(self.name)
        ]  # fmt: skip

    def module(self, seen: RowInfo) -> nn.Module:
        num_outputs = self.output(seen).num_values
        return build(self.name, shape=seen.shape, num_outputs=num_outputs, small_images=self.small_images)

    @property
    def _table(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", read_table()[self.name])

    @property
    def _form(self) -> str:
        return "small" if self.small_images else "plain"

    @property
    def _stride(self) -> int:
        """That of the first convolution: of a transformer, the side of a patch."""
        first = self._table["small"] if self.small_images else {}
        return int(first.get("stride", self._table["stem_stride"]))

    def _check_images(self, seen: RowInfo) -> None:
        """Refuse images that are too small, or do not divide into patches."""
        _, height, width = image(self.kind, seen)
        table = self._table
        least = table["least_side"][self._form]
        if min(height, width) < least:
            hint = ""
            if not self.small_images and table["least_side"]["small"] < least:
                hint = f", or {table['least_side']['small']}×{table['least_side']['small']} with small_images"
            raise ValueError(
                f"torchvision expects images of at least {least}×{least} for {self.name}{hint}; it gets {seen.shape}"
            )
        if table["positions"] and (height != width or height % self._stride):
            raise ValueError(
                f"torchvision expects square images for {self.name}, of a side that its patches of "
                f"{self._stride}×{self._stride} divide; it gets {seen.shape}"
            )

    def _own_shapes(self, seen: RowInfo) -> dict[str, tuple[int, ...]]:
        """Of the tensors that depend on the images and on the task."""
        table = self._table
        stem, head = f"{table['stem']}.weight", f"{table['head']}.weight"
        known = {info.name: info.shape for info in known_tensors(self.name)}
        size = table["small"].get("kernel_size") if self.small_images else None
        num_outputs = self.output(seen).num_values
        shapes = {
            stem: (known[stem][0], seen.shape[0], *(known[stem][2:] if size is None else (size, size))),
            head: (num_outputs, *known[head][1:]),
            f"{table['head']}.bias": (num_outputs,),
        }
        if table["positions"]:
            num_patches = (seen.shape[1] // self._stride) ** 2
            shapes[table["positions"]] = (1, num_patches + 1, known[table["positions"]][2])
        return shapes


@cache
def read_table() -> dict[str, Any]:
    """What is known of each model, as `torchvision_table.py` found it."""
    read: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return read


@cache
def known_tensors(name: str) -> tuple[TensorInfo, ...]:
    """A model's tensors as torchvision has them, for 224×224 pixels and 1,000 classes."""
    found: list[TensorInfo] = []
    for block, rows in read_table()[name]["tensors"].items():
        for place, kind, shape in rows:
            inside = f"{block}.{place}".removesuffix(".")
            owner = place[1:] if place.startswith("/") else inside
            found += grouped(owner, kind, tuple(shape), block)
    return tuple(found)


def grouped(owner: str, kind: str, shape: tuple[int, ...], block: str) -> list[TensorInfo]:
    """The tensors of one of the `GROUPS`, by the shape of the first."""
    return [
        TensorInfo(f"{owner}.{name}".removeprefix("."), shape[:num_axes], role, axes, None, dtype, block=block)
        for name, role, axes, num_axes, dtype in GROUPS[kind]
    ]


def build(name: str, *, shape: tuple[int, ...], num_outputs: int, small_images: bool) -> nn.Module:
    """A model with first values drawn from torch's global generator, as torchvision draws them.

    Args:
        name: In torchvision.models.
        shape: Of the images, (C, H, W).
        num_outputs: Of the last layer.
        small_images: As in the layer.
    """
    return build_by(name, read_table()[name], shape=shape, num_outputs=num_outputs, small_images=small_images)


def build_by(
    name: str, entry: Mapping[str, Any], *, shape: tuple[int, ...], num_outputs: int, small_images: bool
) -> nn.Module:
    """The same, by this entry of the table."""
    from torch import nn
    from torchvision.models import get_model

    num_channels, side, _ = shape
    small = entry["small"] if small_images else {}
    stride = small.get("stride", entry["stem_stride"])
    options: dict[str, Any] = {"num_classes": num_outputs}
    if entry["positions"]:  # as many places as there are patches of the images
        options["image_size"] = side // stride * entry["stem_stride"]
    model: Any = get_model(name, weights=None, **options)
    stem = model.get_submodule(entry["stem"])
    assert isinstance(stem, nn.Conv2d), "the table names a convolution"
    if "kernel_size" in small or stem.in_channels != num_channels:
        size = small.get("kernel_size", stem.kernel_size[0])
        padding = small.get("padding", stem.padding[0])
        has_bias = stem.bias is not None
        other = nn.Conv2d(num_channels, stem.out_channels, size, stride, padding=padding, bias=has_bias)
        nn.init.kaiming_normal_(other.weight, mode="fan_out", nonlinearity="relu")
        model.set_submodule(entry["stem"], other)
    for path in small.get("dropped", ()):
        model.set_submodule(path, nn.Identity())
    if entry["positions"]:
        model.image_size, model.patch_size = side, stride
    return cast("nn.Module", model)
