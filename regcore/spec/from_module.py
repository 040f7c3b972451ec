"""`JobSpec.from_module`: a torch Sequential of known layers, written as a `layers` model.

What is written computes the same from the same weights, which lie in the same order. A torch sequence is (C, T), and
conv1d of a spec reads (steps, features): so torch's layers over sequences are written as those over images of height 1,
and the row stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from regcore.errors import FieldError, SpecError

if TYPE_CHECKING:
    from torch import nn

    from regcore.shapes import Shape

Json = dict[str, Any]


class UnwritableError(ValueError):
    """A module that no layer computes."""


def layers_of(net: nn.Module, input_shape: Shape) -> list[Json]:
    """The layers that compute what a module computes.

    Args:
        net: A layer, or a Sequential of layers and Sequentials.
        input_shape: Of one row, without the batch.

    Raises:
        SpecError: Some of it cannot be written; each place is named.
    """
    leaves = list(_leaves(net, ""))
    unknown = [f"{path} ({type(leaf).__name__})" for path, leaf in leaves if type(leaf).__name__ not in _WRITERS]
    if unknown:
        known = ", ".join(sorted(_WRITERS))
        raise _refusal(
            f"from_module cannot write {', '.join(unknown)}; it writes Sequential of {known}. Train the module as it "
            "is, train(spec, x, y, module=net), or replace them"
        )
    writing = _Writing(tuple(input_shape))
    for path, leaf in leaves:
        try:
            _WRITERS[type(leaf).__name__](writing, leaf)
            writing.shape = _output_shape(leaf, writing.shape)
        except UnwritableError as error:
            raise _refusal(f"from_module cannot write {path} ({type(leaf).__name__}): {error}") from error
        except (RuntimeError, ValueError, IndexError) as error:
            raise _refusal(f"{path} ({type(leaf).__name__}) does not take rows of {writing.shape}: {error}") from error
    return writing.layers


def _refusal(message: str) -> SpecError:
    return SpecError([FieldError("/model", "invalid_model", f"{message}.")])


def _leaves(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    from torch import nn

    if type(module) is not nn.Sequential:
        yield path or "the module", module
        return
    for name, child in module.named_children():
        yield from _leaves(child, f"{path}.{name}" if path else name)


def _output_shape(leaf: nn.Module, shape: Shape) -> Shape:
    """What torch makes of a row: of zeros, on the meta device, where nothing is computed."""
    import copy

    import torch

    numbers = torch.int64 if type(leaf).__name__ == "Embedding" else torch.float32
    rows = torch.zeros(2, *shape, dtype=numbers, device="meta")
    return tuple(copy.deepcopy(leaf).to(device="meta", dtype=torch.float32).eval()(rows).shape[1:])


class _Writing:
    """What has been written.

    Args:
        shape: Of one row.

    Attributes:
        shape: What torch has here.
        own: What the layers give here: the same numbers, in the same order.
        layers: As JSON.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.own = shape
        self.layers: list[Json] = []

    def take(self, shape: Shape) -> None:
        """Bring the row into this shape."""
        if self.own != shape:
            flat = len(shape) == 1
            self.layers.append({"kind": "flatten"} if flat else {"kind": "reshape", "shape": list(shape)})
        self.own = shape

    def write(self, own: Shape, **layer: Any) -> None:
        """Add a layer that gives this shape."""
        self.layers.append(layer)
        self.own = own

    def as_image(self, num_axes: int) -> Shape:
        """Bring (C, H, W), or (C, T) as an image of height 1, into three axes."""
        if len(self.shape) != num_axes + 1:
            raise UnwritableError(f"it expects rows of {num_axes + 1} axes; it gets {self.shape}")
        image = self.shape if num_axes == 2 else (self.shape[0], 1, self.shape[1])
        self.take(image)
        return image


def _only(leaf: nn.Module, **wanted: Any) -> None:
    """Refuse options that no layer has."""
    for name, value in wanted.items():
        found = getattr(leaf, name)
        if found != value and found not in ((value,), (value, value)):
            raise UnwritableError(f"{name}={found!r} is not known here, only {value!r}")


def _sides(value: Any, num_axes: int, along: int) -> list[int]:
    """A window's height and width; along a sequence the height is that of what does nothing."""
    sides = list(value) if isinstance(value, tuple | list) else [value] * num_axes
    return sides if num_axes == 2 else [along, *sides]


def _convolution(num_axes: int) -> Callable[[_Writing, Any], None]:
    def write(writing: _Writing, leaf: Any) -> None:
        _only(leaf, groups=1, dilation=1, padding_mode="zeros")
        writing.as_image(num_axes)
        padding = leaf.padding if isinstance(leaf.padding, str) else _sides(leaf.padding, num_axes, 0)
        shape = _output_shape(leaf, writing.shape)
        writing.write(
            shape if num_axes == 2 else (shape[0], 1, shape[1]),
            kind="conv2d",
            channels=leaf.out_channels,
            kernel_size=_sides(leaf.kernel_size, num_axes, 1),
            stride=_sides(leaf.stride, num_axes, 1),
            padding=padding,
            bias=leaf.bias is not None,
        )

    return write


def _transposed(writing: _Writing, leaf: Any) -> None:
    _only(leaf, groups=1, dilation=1)
    writing.as_image(2)
    writing.write(
        _output_shape(leaf, writing.shape),
        kind="transposed_conv2d",
        channels=leaf.out_channels,
        kernel_size=list(leaf.kernel_size),
        stride=list(leaf.stride),
        padding=list(leaf.padding),
        output_padding=list(leaf.output_padding),
        bias=leaf.bias is not None,
    )


def _linear(writing: _Writing, leaf: Any) -> None:
    if len(writing.shape) > 2:
        raise UnwritableError(f"it acts on the last axis of {writing.shape}; put a Flatten in front of it")
    writing.take(writing.shape)
    per_step = {"per_step": True} if len(writing.shape) == 2 else {}
    own = (*writing.shape[:-1], leaf.out_features)
    writing.write(own, kind="linear", features=leaf.out_features, bias=leaf.bias is not None, **per_step)


def _embedding(writing: _Writing, leaf: Any) -> None:
    _only(leaf, max_norm=None)
    if leaf.padding_idx != 0:
        raise UnwritableError(f"token 0 is padding here, so padding_idx must be 0; it is {leaf.padding_idx}")
    writing.write((*writing.shape, leaf.embedding_dim), kind="embedding", features=leaf.embedding_dim)


def _batch_norm(num_axes: int) -> Callable[[_Writing, Any], None]:
    def write(writing: _Writing, leaf: Any) -> None:
        _only(leaf, affine=True, track_running_stats=True)
        if num_axes == 1 and len(writing.shape) == 1:
            writing.take(writing.shape)
        else:
            writing.as_image(num_axes)
        writing.write(writing.own, kind="batch_norm", momentum=leaf.momentum, eps=leaf.eps)

    return write


def _layer_norm(writing: _Writing, leaf: Any) -> None:
    if leaf.weight is None or leaf.bias is None:
        raise UnwritableError("it has no scale or no offset, and layer_norm has both")
    whole = writing.shape if len(writing.shape) == 3 else writing.shape[-1:]
    if tuple(leaf.normalized_shape) != whole or len(writing.shape) > 3:
        raise UnwritableError(
            f"it normalizes over {tuple(leaf.normalized_shape)} of {writing.shape}; layer_norm does over the last axis "
            "of one or two, and over a whole image"
        )
    writing.take(writing.shape)
    writing.write(writing.own, kind="layer_norm", eps=leaf.eps)


def _group_norm(writing: _Writing, leaf: Any) -> None:
    _only(leaf, affine=True)
    if len(writing.shape) == 1:
        writing.take(writing.shape)
    else:
        writing.as_image(len(writing.shape) - 1)
    writing.write(writing.own, kind="group_norm", num_groups=leaf.num_groups, eps=leaf.eps)


def _pool(method: str, num_axes: int) -> Callable[[_Writing, Any], None]:
    def write(writing: _Writing, leaf: Any) -> None:
        options: dict[str, Any] = {"dilation": 1, "return_indices": False} if method == "max" else {}
        if method == "mean" and num_axes == 2:
            options["divisor_override"] = None
        _only(leaf, padding=0, ceil_mode=False, **options)
        writing.as_image(num_axes)
        shape = _output_shape(leaf, writing.shape)
        writing.write(
            shape if num_axes == 2 else (shape[0], 1, shape[1]),
            kind="pool",
            method=method,
            size=_sides(leaf.kernel_size, num_axes, 1),
            stride=_sides(leaf.stride, num_axes, 1),
        )

    return write


def _adaptive_pool(method: str, num_axes: int) -> Callable[[_Writing, Any], None]:
    def write(writing: _Writing, leaf: Any) -> None:
        image = writing.as_image(num_axes)
        given = _output_shape(leaf, writing.shape)[1:]
        if math.prod(given) == 1:
            writing.write(image[:1], kind="global_pool", method=method)
            return
        windows = [side // each for side, each in zip(writing.shape[1:], given, strict=True)]
        if any(side % each for side, each in zip(writing.shape[1:], given, strict=True)):
            raise UnwritableError(f"its windows on {writing.shape} differ in size, since {given} do not divide it")
        places = given if num_axes == 2 else (1, *given)
        writing.write((image[0], *places), kind="pool", method=method, size=_sides(tuple(windows), num_axes, 1))

    return write


def _activation(name: str, **options: Any) -> Callable[[_Writing, Any], None]:
    def write(writing: _Writing, leaf: Any) -> None:
        _only(leaf, **options)
        writing.write(writing.own, kind="activation", name=name)

    return write


def _upsample(writing: _Writing, leaf: Any) -> None:
    if leaf.mode not in ("nearest", "bilinear") or leaf.align_corners:
        raise UnwritableError(f"mode={leaf.mode!r} with align_corners={leaf.align_corners} is not known here")
    _, *sides = _output_shape(leaf, writing.as_image(2))
    writing.write((writing.shape[0], *sides), kind="upsample", size=list(sides), mode=leaf.mode)


def _reshaped(writing: _Writing, leaf: Any) -> None:
    if getattr(leaf, "start_dim", 1) != 1 and type(leaf).__name__ == "Flatten":
        raise UnwritableError(f"start_dim={leaf.start_dim} merges other axes than all of a row's")
    writing.take(_output_shape(leaf, writing.shape))


def _dropout(writing: _Writing, leaf: Any) -> None:
    writing.write(writing.own, kind="dropout", p=leaf.p)


_WRITERS: Final[dict[str, Callable[[_Writing, Any], None]]] = {
    "Linear": _linear,
    "Conv1d": _convolution(1),
    "Conv2d": _convolution(2),
    "ConvTranspose2d": _transposed,
    "Embedding": _embedding,
    "BatchNorm1d": _batch_norm(1),
    "BatchNorm2d": _batch_norm(2),
    "LayerNorm": _layer_norm,
    "GroupNorm": _group_norm,
    "MaxPool1d": _pool("max", 1),
    "MaxPool2d": _pool("max", 2),
    "AvgPool1d": _pool("mean", 1),
    "AvgPool2d": _pool("mean", 2),
    "AdaptiveAvgPool1d": _adaptive_pool("mean", 1),
    "AdaptiveAvgPool2d": _adaptive_pool("mean", 2),
    "AdaptiveMaxPool1d": _adaptive_pool("max", 1),
    "AdaptiveMaxPool2d": _adaptive_pool("max", 2),
    "ReLU": _activation("relu"),
    "LeakyReLU": _activation("leaky_relu", negative_slope=0.01),
    "ELU": _activation("elu", alpha=1.0),
    "SELU": _activation("selu"),
    "GELU": _activation("gelu", approximate="none"),
    "SiLU": _activation("silu"),
    "Tanh": _activation("tanh"),
    "Sigmoid": _activation("sigmoid"),
    "Upsample": _upsample,
    "Flatten": _reshaped,
    "Unflatten": _reshaped,
    "Dropout": _dropout,
    "Identity": lambda writing, leaf: None,
}
"""How each of torch's layers is written, by its name."""
