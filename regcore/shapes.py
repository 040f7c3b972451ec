"""What rows and tensors are, without torch: their shapes, what varies in them, and what each tensor is for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Shape = tuple[int, ...]

Role = Literal["weight", "embedding", "bias", "norm", "buffer"]
"""What a tensor is for. By default regularizers act on the weights alone; a buffer is not learned."""

Predicted = Literal["classes", "numbers", "rows"]
"""What a task predicts: the classes or the numbers of a target, or the rows themselves."""

First = tuple[Literal["uniform", "normal", "fill"], float]

Dtype = Literal["float", "int64", "int32", "int16", "int8", "uint8", "bool"]
"""`float` is the run's precision."""


@dataclass(frozen=True, slots=True)
class RowInfo:
    """What a layer sees of one row.

    Attributes:
        shape: Without the axes of members and of the batch.
        tokens: Size of the vocabulary, for rows of integers; None for rows of numbers.
        varies: Whether axis 0 is time, of which a row may use less than there is: `Batch.lengths` says how much.
    """

    shape: Shape
    tokens: int | None = None
    varies: bool = False

    @property
    def num_values(self) -> int:
        """Numbers in one row."""
        return math.prod(self.shape)

    @property
    def num_places(self) -> int:
        """Pixels of an image, or steps of a sequence; 1 for a vector."""
        return math.prod(self.shape[1:]) if len(self.shape) == 3 else math.prod(self.shape[:-1])

    def of(self, *shape: int, varies: bool | None = None) -> RowInfo:
        """Rows of numbers of another shape; their length varies as it did, if nothing else is said."""
        return RowInfo(shape, None, self.varies if varies is None else varies)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor of a layer or of a model.

    Attributes:
        name: Inside the layer; in a model `{layer}.{tensor}`.
        shape: Without the member axis.
        role: What it is for.
        axes: One letter for each axis: `o` for units (an output, a filter, a gate, a token), `i` for what a unit sees,
            `k` for the extent of a kernel.
        first: How its first values are drawn: ("uniform", bound), ("normal", standard deviation) or ("fill", value).
            None: as its module draws them.
        dtype: `float` is the run's precision.
        has_padding: Whether its first unit stands for what a row does not use, and begins as zeros.
        block: Of an opaque model, the part that counts as one layer; elsewhere that is the outermost layer.
    """

    name: str
    shape: Shape
    role: Role = "weight"
    axes: str = ""
    first: First | None = ("fill", 0.0)
    dtype: Dtype = "float"
    has_padding: bool = False
    block: str = ""

    @property
    def num_elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def is_learned(self) -> bool:
        """Whether the optimizer moves it."""
        return self.role != "buffer"
