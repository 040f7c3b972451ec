"""The base of layers. Shapes and parameters are known without torch; the computation needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from regcore.doubts import Doubt, RunShape
from regcore.frozen import Fusible
from regcore.streams import stream_seed

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

Shape = tuple[int, ...]


class Layer(Fusible):
    """One entry of a model's list of layers."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]

    kind: str
    name: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")
    """Prefix of its parameters' names, `{name}.weight`; by default kind and ordinal, `head` for the output layer."""

    @property
    def given_label(self) -> str | None:
        """The label that the user gave, if any."""
        return self.name

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of one output row, for an input row of this shape. Raises ValueError if the shape does not fit."""
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Its parameters and their shapes, without a member axis."""
        return {}

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        """What is doubtful about this layer in such a run."""
        yield from ()

    def initialise(self, parameter: str, input_shape: Shape, stream: Generator) -> Tensor:
        """Initial values of one parameter of one member, float64, without a member axis."""
        raise NotImplementedError

    def module(self, input_shape: Shape) -> nn.Module:
        """The same layer as a plain torch module, for the finished model."""
        raise NotImplementedError

    def forward(self, x: Tensor, parameters: dict[str, Tensor], context: LayerContext) -> Tensor:
        """Compute K members at once.

        Args:
            x: (K, B, *input_shape).
            parameters: Stacked, (K, *shape).
            context: The values that differ from call to call.

        Returns:
            (K, B, *output_shape).
        """
        raise NotImplementedError


@dataclass(frozen=True)
class LayerContext:
    """The circumstances of one call of a layer.

    Attributes:
        label: This layer's own.
        training: Whether stochastic layers act.
        members: This layer's spec in each of the K members.
        seeds: Each member's seed.
        step: The optimizer's step, for which the masks are drawn.
        micro_batch: The index within an accumulated step.
    """

    label: str
    training: bool
    members: Sequence[Any] = ()
    seeds: Sequence[int] = ()
    step: int = 0
    micro_batch: int = 0

    def mask_seeds(self) -> list[int]:
        """The seed of each member's masks at this step."""
        return [stream_seed(seed, "mask", self.label, self.step, self.micro_batch) for seed in self.seeds]
