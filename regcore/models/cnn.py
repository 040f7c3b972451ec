"""Convolutional networks, for images and for sequences."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from regcore.layers import (
    Activation,
    BatchNorm,
    Conv1d,
    Conv2d,
    Flatten,
    GlobalPool,
    GroupNorm,
    Layer,
    Linear,
    Pool,
)
from regcore.layers.activation import ActivationName
from regcore.layers.sides import Side
from regcore.models.base import MAX_LAYERS, Model
from regcore.models.first_layers import EMBEDDING, as_steps
from regcore.shapes import RowInfo

Channels = Annotated[int, Field(ge=1)]

_MOST_GROUPS: Final = 32
_LEAST_CHANNELS: Final = 4
"""Of a group in group normalization: of one channel and one row it would take too much."""


class CNNModel(Model):
    """Stages of a convolution, a normalization, an activation and a pooling; then fully connected layers.

    Over images the last stage is flattened. Over sequences, which may vary in length, windows are of steps, and the
    largest value over all steps is taken of each channel; tokens become vectors first.
    """

    summary: ClassVar[str] = "A convolutional network: convolutions with pooling, over images, sequences or text."
    formula: ClassVar[str] = (
        "f(x) = W·flatten(s_n(… s_1(x))) + b,  s(x) = pool(φ(norm(w * x)));  sequences: max over steps"
    )
    source: ClassVar[str] = (
        "LeCun et al. 1998, Gradient-based learning; over sequences Waibel et al. 1989, over text Kim 2014"
    )
    example: ClassVar[dict[str, Any]] = {"kind": "cnn", "channels": [8, 16]}
    deep_field: ClassVar[str] = "channels"

    kind: Literal["cnn"] = "cnn"
    channels: list[Channels] = Field(default=[32, 64], min_length=1, max_length=MAX_LAYERS)
    """Filters of each stage."""
    kernel_size: Side = 3
    """Side of a convolution's window, or steps in it; half of it, rounded down, is the padding."""
    norm: Literal["batch", "group"] | None = "batch"
    """Between convolution and activation: batch normalization, group normalization of groups of at
    least 4 channels, or none."""
    pool: Side | None = 2
    """Side of each stage's max pooling, or steps in it; 1 or null for none."""
    hidden: list[Channels] = Field(default=[], max_length=MAX_LAYERS)
    """Widths of fully connected layers between the last stage and the output."""
    activation: ActivationName = "relu"
    """After each convolution and each hidden layer."""

    def expand(self, row: RowInfo) -> Sequence[Layer]:
        is_image = row.tokens is None and len(row.shape) == 3
        layers: list[Layer] = [] if is_image else [*as_steps(self.kind, row, EMBEDDING)]
        for channels in self.channels:
            layers += self._stage(channels, is_image=is_image)
        layers.append(Flatten() if is_image else GlobalPool(method="max"))
        for features in self.hidden:
            layers += [Linear(features=features), Activation(name=self.activation)]
        return [*layers, Linear()]

    @property
    def num_written(self) -> int:
        return len(self.channels) + len(self.hidden)

    def _stage(self, channels: int, *, is_image: bool) -> list[Layer]:
        convolution = Conv2d if is_image else Conv1d
        layers: list[Layer] = [
            convolution(channels=channels, kernel_size=self.kernel_size, padding=self.kernel_size // 2)
        ]
        if self.norm == "batch":
            layers.append(BatchNorm())
        elif self.norm == "group":
            layers.append(GroupNorm(num_groups=_num_groups(channels)))
        layers.append(Activation(name=self.activation))
        return [*layers, Pool(size=self.pool)] if self.pool is not None and self.pool > 1 else layers


def _num_groups(channels: int) -> int:
    """The most that divide the channels, up to 32 as in Wu & He 2018."""
    most = min(_MOST_GROUPS, max(1, channels // _LEAST_CHANNELS))
    return max(number for number in range(1, most + 1) if channels % number == 0)
