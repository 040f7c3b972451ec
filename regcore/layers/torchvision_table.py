"""Writes `torchvision.json`, from which torchvision's models are known without torch.

    python -c "from regcore.layers.torchvision_table import write_table; write_table()"

A test holds the file to the installed torchvision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from regcore.layers.opaque import described
from regcore.layers.torchvision import GROUPS, ModelName, build_by, grouped, read_table
from regcore.shapes import TensorInfo

if TYPE_CHECKING:
    from torch import nn

_SIDE: Final = 64
_MAX_LEAST_SIDE: Final = 64
_FIRST: Final = {"kernel_size": 3, "stride": 1, "padding": 1}
_SMALL: Final[dict[str, dict[str, Any]]] = {
    "res": {**_FIRST, "dropped": ["maxpool"]},
    "wide_res": {**_FIRST, "dropped": ["maxpool"]},
    "mobilenet": {**_FIRST, "dropped": []},
    "efficientnet": {**_FIRST, "dropped": []},
    "vgg11": {"dropped": ["features.28"]},
    "vgg16": {"dropped": ["features.43"]},
    "vit_b_16": {"kernel_size": 4, "stride": 4, "padding": 0, "dropped": []},
    "convnext": {"kernel_size": 2, "stride": 2, "padding": 0, "dropped": []},
    "swin": {"kernel_size": 2, "stride": 2, "padding": 0, "dropped": []},
    "densenet": {**_FIRST, "dropped": ["features.pool0"]},
    "squeezenet": {**_FIRST, "dropped": ["features.2"]},
    "shufflenet": {**_FIRST, "dropped": ["maxpool"]},
}
"""By what names begin with: the first convolution for small images, and the poolings that are left out. Of VGG, whose
first convolution keeps the image's size, that is the last one, so that images of 16×16 do."""
_WEIGHTS_OF_ITS_SHAPES: Final = "IMAGENET1K_V"


def table_of(name: str) -> dict[str, Any]:
    """What the layer must know of a model: its first and last layers, its tensors, and how much it computes.

    Args:
        name: In torchvision.models.

    Returns:
        `stem` and `head` by their names in the module, and `positions` if it has embeddings of places; `small`, its
        first layers for small images; `tensors` by block, as `GROUPS` shortens them; `weights`, the file of each;
        and, as torchvision has it (`plain`) and for small images (`small`), `least_side`, the smallest image, and
        `values_per_pixel` and `products_per_pixel`, the numbers that its layers give for each pixel of an image, and
        the multiplications for them.
    """
    import torch
    from torch import nn
    from torchvision.models import get_model, get_model_weights

    with torch.device("meta"):
        model = get_model(name, weights=None).eval()
    infos = described(model)
    layers = [path for path, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    weights = {one.name: one.url.rpartition("/")[2] for one in get_model_weights(name)}
    entry: dict[str, Any] = {
        "stem": layers[0],
        "head": layers[-1],
        "positions": next((info.name for info in infos if info.name.endswith("pos_embedding")), None),
        "stem_stride": model.get_submodule(layers[0]).stride[0],
        "small": next(small for start, small in _SMALL.items() if name.startswith(start)),
        "default_weights": get_model_weights(name).DEFAULT.name,
        "weights": {key: file for key, file in weights.items() if key.startswith(_WEIGHTS_OF_ITS_SHAPES)},
        "normalizes_batches": any(isinstance(module, nn.BatchNorm2d) for module in model.modules()),
        "tensors": {block: _shortened(list(own), block) for block, own in groupby(infos, key=lambda info: info.block)},
    }
    both = (("plain", False), ("small", True))
    entry["least_side"] = {form: _least_side(name, entry, small_images=small) for form, small in both}
    work = {form: _work_per_pixel(name, entry, small_images=small) for form, small in both}
    entry["values_per_pixel"] = {form: values for form, (values, _) in work.items()}
    entry["products_per_pixel"] = {form: products for form, (_, products) in work.items()}
    return entry


def _shortened(infos: Sequence[TensorInfo], block: str) -> list[list[Any]]:
    """The tensors of a block, those of one module in one row."""
    rows = []
    for owner, each in groupby(infos, key=lambda info: info.name.rpartition(".")[0]):
        rest = list(each)
        while rest:
            candidates = (grouped(owner, kind, rest[0].shape, block) for kind in GROUPS)
            fitting = (found for found in candidates if found == rest[: len(found)])
            longest = max(fitting, key=len, default=None)
            assert longest is not None, f"{rest[0]} is in no group: add one"
            kind = next(kind for kind in GROUPS if grouped(owner, kind, rest[0].shape, block) == longest)
            place = owner.removeprefix(block).removeprefix(".") if f"{owner}.".startswith(f"{block}.") else f"/{owner}"
            rows.append([place, kind, list(rest[0].shape)])
            rest = rest[len(longest) :]
    return rows


def _least_side(name: str, entry: dict[str, Any], *, small_images: bool) -> int:
    """The smallest square image that it takes."""
    if entry["positions"]:
        return int(entry["small"]["stride"] if small_images else entry["stem_stride"])
    low, high = 0, _MAX_LEAST_SIDE
    model = _meta(name, entry, _SIDE, small_images=small_images)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _takes(model, middle) else (middle, high)
    return high


def _takes(model: nn.Module, side: int) -> bool:
    import torch

    try:
        model(torch.empty(2, 3, side, side, dtype=torch.float32, device="meta"))
    except RuntimeError:
        return False
    return True


def _work_per_pixel(name: str, entry: dict[str, Any], *, small_images: bool) -> tuple[float, int]:
    """Its values and its multiplications for each pixel."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    found: list[int] = []
    model = _meta(name, entry, _SIDE, small_images=small_images)
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, inputs, outputs: found.append(_num_values(outputs)))
    with FlopCounterMode(display=False) as counter:  # two for each product
        model(torch.empty(1, 3, _SIDE, _SIDE, dtype=torch.float32, device="meta"))
    return round(sum(found) / _SIDE**2, 1), round(counter.get_total_flops() / 2 / _SIDE**2)


def _num_values(outputs: Any) -> int:
    first = outputs[0] if isinstance(outputs, tuple) else outputs  # attention gives its weights too, or None
    return int(first.numel())


def _meta(name: str, entry: dict[str, Any], side: int, *, small_images: bool) -> nn.Module:
    import torch

    with torch.device("meta"):
        return build_by(name, entry, shape=(3, side, side), num_outputs=1000, small_images=small_images).eval()


def write_table() -> None:
    """Write the file."""
    lines = [f"{json.dumps(name)}: {json.dumps(table_of(name), separators=(',', ':'))}" for name in get_args(ModelName)]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    Path(__file__).with_name("torchvision.json").write_text(text, encoding="utf-8")
    read_table.cache_clear()
