"""Layers: one file each, with its spec fields, its shapes (without torch) and its stacked computation (with torch).

Lives here: the items of a model's list. Does not live here: short forms of such lists (`regcore.spec.model`) and the
layers that regularizers insert (`regcore.regularizers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from regcore.layers.activation import Activation
from regcore.layers.base import Layer, LayerContext, Shape
from regcore.layers.dropout import Dropout
from regcore.layers.flatten import Flatten
from regcore.layers.linear import Linear

if TYPE_CHECKING:
    from torch import nn

LAYERS: tuple[type[Layer], ...] = (Linear, Activation, Dropout, Flatten)
AnyLayer = Annotated[Linear | Activation | Dropout | Flatten, Field(discriminator="kind")]

__all__ = [
    "LAYERS",
    "Activation",
    "AnyLayer",
    "Dropout",
    "Flatten",
    "Layer",
    "LayerContext",
    "Linear",
    "Shape",
    "build_module",
    "complete",
    "label_layers",
    "walk_shapes",
]


def complete(layers: Sequence[AnyLayer], input_shape: Shape, num_outputs: int) -> list[AnyLayer]:
    """Fill in what users may omit: the output's `features`, and a `flatten` before a linear that needs one."""
    completed: list[AnyLayer] = []
    shape = input_shape
    for position, layer in enumerate(layers):
        if isinstance(layer, Linear) and len(shape) > 1:
            completed.append(Flatten())
            shape = completed[-1].output_shape(shape)
        if isinstance(layer, Linear) and layer.features is None and position == len(layers) - 1:
            layer = layer.model_copy(update={"features": num_outputs})
        completed.append(layer)
        shape = layer.output_shape(shape)
    return completed


def label_layers(layers: Sequence[AnyLayer]) -> list[str]:
    """Each layer's label: the name it was given, `head` for the output layer, else its kind and ordinal (`linear1`)."""
    ordinals: dict[str, int] = {}
    labels: list[str] = []
    # Layers without parameters may follow the output layer, such as a dropout.
    output = max((position for position, layer in enumerate(layers) if isinstance(layer, Linear)), default=None)
    for position, layer in enumerate(layers):
        if position == output:
            labels.append(layer.given_label or "head")
            continue
        ordinals[layer.kind] = ordinals.get(layer.kind, 0) + 1
        labels.append(layer.given_label or f"{layer.kind}{ordinals[layer.kind]}")
    return labels


def walk_shapes(layers: Sequence[AnyLayer], input_shape: Shape) -> Iterator[tuple[str, AnyLayer, Shape]]:
    """Each layer with its label and the shape of one row that it sees."""
    shape = input_shape
    for label, layer in zip(label_layers(layers), layers, strict=True):
        yield label, layer, shape
        shape = layer.output_shape(shape)


def build_module(layers: Sequence[AnyLayer], input_shape: Shape) -> nn.Sequential:
    """The layers as a plain torch module; the keys of its state are `{label}.{parameter}`."""
    from collections import OrderedDict

    from torch import nn

    modules = OrderedDict((label, layer.module(shape)) for label, layer, shape in walk_shapes(layers, input_shape))
    return nn.Sequential(modules)
