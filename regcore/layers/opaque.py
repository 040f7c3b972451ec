"""What the tensors of a module that is not ours are for, by the modules that own them; and which of them are one block.

A block is what a learning rate by depth counts as one layer: an element of a list of blocks, as `layer1.0` of a
residual network and `encoder.layers.3` of a transformer, or a module beside such lists, as the first convolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast, get_args

from regcore.shapes import Dtype, Role, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

_EMBEDDING_WORDS = ("embed", "token", "position")
_BIAS_WORDS = ("bias",)


def described(net: nn.Module) -> list[TensorInfo]:
    """Every tensor of its state, by its name there; of tied ones the first name alone.

    Parameters that need no gradient are buffers, and so are never moved.

    Raises:
        ValueError: One is of a type that cannot be trained or kept, such as complex numbers.
    """
    parameters = dict(net.named_parameters())
    own = {**parameters, **dict(net.named_buffers())}
    blocks, modules = _blocks(net), dict(net.named_modules())
    infos: list[TensorInfo] = []
    for name in net.state_dict(keep_vars=True):
        if name not in own:  # another name of a tied tensor, or state that is no tensor
            continue
        owner, _, short = name.rpartition(".")
        tensor = own[name]
        is_learned = name in parameters and tensor.requires_grad
        role = _role(modules[owner], short, tensor) if is_learned else "buffer"
        axes = _axes(modules[owner], role, tensor)
        infos.append(TensorInfo(name, tuple(tensor.shape), role, axes, None, _dtype(name, tensor), block=blocks[owner]))
    return infos


def _role(owner: nn.Module, name: str, tensor: Tensor) -> Role:
    from torch import nn

    if isinstance(owner, nn.Embedding | nn.EmbeddingBag):
        return "embedding"
    if isinstance(owner, _norms()):
        return "norm"
    if any(word in name for word in _BIAS_WORDS):
        return "bias"
    if isinstance(owner, nn.Linear | nn.Bilinear | nn.modules.conv._ConvNd | nn.RNNBase | nn.MultiheadAttention):
        return "weight"
    if any(word in name for word in _EMBEDDING_WORDS):
        return "embedding"
    # A vector, whatever its axes, scales what passes.
    return "weight" if sum(size > 1 for size in tensor.shape) > 1 else "norm"


def _norms() -> tuple[type[nn.Module], ...]:
    from torch import nn

    batch_norm = nn.modules.batchnorm._NormBase  # of instances too
    return batch_norm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm


def _axes(owner: nn.Module, role: Role, tensor: Tensor) -> str:
    from torch import nn

    if role == "buffer":
        return "o" * tensor.dim()
    if role == "weight" and isinstance(owner, nn.modules.conv._ConvTransposeNd):
        return "io" + "k" * (tensor.dim() - 2)
    return ("oi" + "k" * tensor.dim())[: tensor.dim()]


def _dtype(name: str, tensor: Tensor) -> Dtype:
    if tensor.is_floating_point():
        return "float"
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in get_args(Dtype):
        raise ValueError(f"{name} is of type {dtype}, which cannot be kept with a model. Make it a real number")
    return cast("Dtype", dtype)


def _blocks(net: nn.Module) -> dict[str, str]:
    """The block of each module, by its path. What a module around blocks holds itself goes to the block before."""
    found = dict(_walk(net, ""))
    first = next((block for block in found.values() if block), "")
    last = first
    for path, block in found.items():
        last = block or last
        found[path] = last
    return found


def _walk(module: nn.Module, path: str, *, in_list: bool = False) -> Iterator[tuple[str, str]]:
    """Each module's path and block; without a block those around others."""
    children = dict(module.named_children())
    is_around = _is_list(module) or (not in_list and any(map(_is_list, module.modules())))
    if path and not (children and is_around):
        prefix = f"{path}."
        yield from ((prefix + inner if inner else path, path) for inner, _ in module.named_modules())
        return
    yield path, "" if children else path
    for name, child in children.items():
        yield from _walk(child, f"{path}.{name}" if path else name, in_list=_is_list(module))


def _is_list(module: nn.Module) -> bool:
    """Whether it is nothing but a list of modules."""
    from torch import nn

    children: Sequence[nn.Module] = list(module.children())
    if type(module) is nn.Sequential or isinstance(module, nn.ModuleList | nn.ModuleDict):
        return bool(children)
    # Of other sequences, those of modules that have modules.
    return isinstance(module, nn.Sequential) and all(any(True for _ in child.children()) for child in children)
