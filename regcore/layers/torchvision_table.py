"""Writes `torchvision.json`, from which torchvision's models are known without torch.

    python -c "from regcore.layers.torchvision_table import write_table; write_table()"

A test holds the file to the installed torchvision.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from regcore.layers.torchvision import ModelName

if TYPE_CHECKING:
    from torch import nn

_SIDE: Final = 64
_STEM_STRIDE: Final = 2


def table_of(name: str) -> dict[str, Any]:
    """What the layer must know of a model: its first and last layers, its tensors, and how much it computes.

    Args:
        name: In torchvision.models.

    Returns:
        `stem`, `max_pool` and `head` by their names in the module; `tensors`, of which each is name, shape, role, axes
        and dtype; and `values_per_pixel`, the numbers that its layers give for each pixel of an image.
    """
    import torch
    from torch import nn
    from torchvision.models import get_model

    with torch.device("meta"):
        model = get_model(name, weights=None).eval()
    named = dict(model.named_modules())
    stem = next(path for path, module in named.items() if isinstance(module, nn.Conv2d))
    pools = [path for path, module in named.items() if isinstance(module, nn.MaxPool2d)]
    return {
        "stem": stem,
        "max_pool": pools[0] if pools else None,
        "head": [path for path, module in named.items() if isinstance(module, nn.Linear)][-1],
        "values_per_pixel": _values_per_pixel(model, stem, pools[:1]),
        "tensors": [_described(path, tensor, named) for path, tensor in model.state_dict().items()],
    }


def _described(path: str, tensor: Any, named: dict[str, nn.Module]) -> list[Any]:
    """Name, shape, role, axes and dtype of one tensor."""
    from torch import nn

    owner, _, own = path.rpartition(".")
    module = named[owner]
    dtype = "float" if tensor.is_floating_point() else "int64"
    if own not in dict(module.named_parameters(recurse=False)):
        return [path, list(tensor.shape), "buffer", "o" * tensor.dim(), dtype]
    if isinstance(module, nn.BatchNorm2d):
        return [path, list(tensor.shape), "norm", "o", dtype]
    if own == "bias":
        return [path, list(tensor.shape), "bias", "o", dtype]
    assert isinstance(module, nn.Conv2d | nn.Linear), f"{path} is of a {type(module).__name__}: describe it here"
    return [path, list(tensor.shape), "weight", "oikk" if isinstance(module, nn.Conv2d) else "oi", dtype]


def _values_per_pixel(model: nn.Module, stem: str, pools: list[str]) -> dict[str, float]:
    """As torchvision has it, `plain`, and with a first layer that keeps the image's size, `small`."""
    import torch

    found: list[int] = []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _, inputs, outputs: found.append(outputs.numel()))
    model(torch.empty(1, 3, _SIDE, _SIDE, dtype=torch.float32, device="meta"))
    plain = sum(found) / _SIDE**2
    # Without its first stride and its pooling, every later layer sees twice the height and width for each of them.
    return {"plain": round(plain, 1), "small": round(plain * _STEM_STRIDE**2 * (4 if pools else 1), 1)}


def write_table() -> None:
    """Write the file."""
    tables = {name: table_of(name) for name in get_args(ModelName)}
    text = json.dumps(tables).replace("]], ", "]],\n").replace("], [", "],\n[")
    Path(__file__).with_name("torchvision.json").write_text(f"{text}\n", encoding="utf-8")
