"""Lists of layers: their labels, the rows that each sees, their tensors, and the plain module that they make.

Layers may hold layers, as residual blocks do: a label is then a path, `residual1.conv2d2`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from regcore.layers.base import Layer
from regcore.layers.misfit import LayerMisfit, place_of
from regcore.shapes import RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor, nn

Rewrite = Callable[[Sequence[Layer], str], Sequence[Layer]]
"""From one list of a model, and what its layers' labels begin with (`residual1.`, nothing for the outermost list), to
what stands in its place."""


def complete(layers: Sequence[Layer], seen: RowInfo, num_outputs: int | None) -> list[Layer]:
    """Fill in what users may omit, such as the output's `features`, or a `flatten` before a linear that needs one.

    Args:
        layers: As they were written.
        seen: The rows of the first one.
        num_outputs: Of the task; None for layers that are not the model's last ones.

    Raises:
        LayerMisfit: A layer does not fit the rows that it sees; the message names it.
    """
    completed: list[Layer] = []
    for position, layer in enumerate(layers):
        with_outputs = num_outputs if position == len(layers) - 1 else None
        try:
            _refuse_tokens(layer, seen)
            parts = layer.completed(seen, with_outputs)
            seen = output_of(parts, seen)
        except ValueError as error:
            raise _misfit(layers, position, error) from error
        completed += parts
    return completed


def label_layers(layers: Sequence[Layer], *, inside: bool = False) -> list[str]:
    """Each layer's label: the name it was given, `head` for the output layer, else its kind and ordinal (`linear1`).

    Args:
        layers: One list, without the layers inside them.
        inside: Whether the list is inside another layer, and so has no output layer.
    """
    ordinals: dict[str, int] = {}
    labels: list[str] = []
    # Layers without tensors may follow the output layer, such as a dropout.
    candidates = [] if inside else [place for place, layer in enumerate(layers) if layer.gives_outputs]
    for position, layer in enumerate(layers):
        if candidates and position == candidates[-1]:
            labels.append("head" if layer.given_label is None else layer.given_label)
            continue
        ordinals[layer.kind] = ordinals.get(layer.kind, 0) + 1
        labels.append(f"{layer.kind}{ordinals[layer.kind]}" if layer.given_label is None else layer.given_label)
    return labels


def walk(layers: Sequence[Layer], seen: RowInfo, prefix: str = "") -> Iterator[tuple[str, Layer, RowInfo]]:
    """Each layer of one list with its label and the rows that it sees."""
    for label, layer in zip(label_layers(layers, inside=bool(prefix)), layers, strict=True):
        yield prefix + label, layer, seen
        seen = layer.output(seen)


def walk_all(layers: Sequence[Layer], seen: RowInfo, prefix: str = "") -> Iterator[tuple[str, Layer, RowInfo]]:
    """The same, each layer followed by those inside it."""
    for label, layer, each in walk(layers, seen, prefix):
        yield label, layer, each
        yield from walk_all(layer.children(), each, _path(label))


def num_layers(layers: Sequence[Layer]) -> int:
    """How many there are, with those inside others."""
    return sum(1 + num_layers(layer.children()) for layer in layers)


def num_levels(layers: Sequence[Layer]) -> int:
    """How deeply they are nested; 1 if none has others inside."""
    return 1 + max((num_levels(layer.children()) for layer in layers if layer.children()), default=0)


def output_of(layers: Sequence[Layer], seen: RowInfo) -> RowInfo:
    """What the last layer gives. Raises ValueError if one does not fit the rows that it sees."""
    for layer in layers:
        _refuse_tokens(layer, seen)
        seen = layer.output(seen)
    return seen


def tensors_of(layers: Sequence[Layer], seen: RowInfo) -> list[TensorInfo]:
    """Every tensor of a model, by its full name; without torch."""
    return [
        replace(tensor, name=_path(label) + tensor.name)
        for label, layer, each in walk_all(layers, seen)
        for tensor in layer.tensors(each)
    ]


def rewritten(layers: Sequence[Layer], rewrite: Rewrite, prefix: str = "") -> list[Layer]:
    """Surgery: every list of a model, the inner ones first, as `rewrite` returns it."""
    labels = label_layers(layers, inside=bool(prefix))
    rebuilt = [
        layer.with_children(rewritten(layer.children(), rewrite, f"{prefix}{label}.")) if layer.children() else layer
        for label, layer in zip(labels, layers, strict=True)
    ]
    return list(rewrite(rebuilt, prefix))


def build_module(
    layers: Sequence[Layer], seen: RowInfo, chain: nn.Sequential | None = None, *, inside: bool = False
) -> nn.Module:
    """The layers as a plain torch module; the keys of its state are the names of `tensors_of`.

    Args:
        layers: One list.
        seen: The rows of the first one.
        chain: Where to add them; None for a new one.
        inside: Whether the list is inside another layer.
    """
    from regcore.modules import Chain

    built: nn.Sequential = Chain() if chain is None else chain
    for label, layer in zip(label_layers(layers, inside=inside), layers, strict=True):
        if not label:  # an opaque model is the whole
            return layer.module(seen)
        built.add_module(label, layer.module(seen))
        seen = layer.output(seen)
    return built


def finished_module(layers: Sequence[Layer], seen: RowInfo, state: Mapping[str, Tensor]) -> nn.Module:
    """The plain module with these tensors, on their device, in evaluation mode."""
    import torch

    with torch.device("meta"):  # without drawing first values
        module = build_module(layers, seen)
    if not any(layer.brings_module for layer in layers):
        module.load_state_dict(state, assign=True)
        return module.eval()
    like = next(tensor for tensor in state.values() if tensor.is_floating_point())
    module.to(device=like.device, dtype=like.dtype)
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with torch.no_grad():  # in place, so that tied tensors stay tied
        for name, tensor in state.items():
            own[name].copy_(tensor)
    return module.eval()


def _path(label: str) -> str:
    return f"{label}." if label else ""


def _refuse_tokens(layer: Layer, seen: RowInfo) -> None:
    """Refuse arithmetic on tokens, whose numbers mean nothing."""
    if seen.tokens is not None and not layer.takes_tokens:
        raise ValueError(
            f"{layer.kind} expects numbers (put an embedding in front of it); it gets tokens, {seen.shape}"
        )


def _misfit(layers: Sequence[Layer], position: int, error: ValueError) -> LayerMisfit:
    """The error with the layer's place, and the layer before it."""
    layer = layers[position]
    source = f"{place_of([position - 1])} {layers[position - 1].kind}" if position else None
    if isinstance(error, LayerMisfit):
        if layer.children():
            return error.inside(position, source)
        # What a short form stands for has places that nobody wrote.
        return LayerMisfit([position], f"{layer.kind}: {error.reason}", source)
    text = str(error)
    return LayerMisfit([position], text if text.startswith(layer.kind) else f"{layer.kind}: {text}", source)
