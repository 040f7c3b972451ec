"""Regularizers at work: what an effect may know of the run, and the hooks at which it acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from regcore.at import At
from regcore.members import coefficient
from regcore.optim.elementwise import Elementwise
from regcore.shapes import TensorInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from regcore.data.encoded import Preprocessing
    from regcore.data.rows import Batch
    from regcore.optim import Update
    from regcore.passes import Pass, Slope
    from regcore.tasks import Task
    from regcore.trees import Tree

    Compute = Callable[[Batch, At], Pass]
    """From a batch to what one pass over it gives."""
    Slopes = Callable[[Mapping[str, Tensor], At], Slope]
    """From learned tensors to the gradient of the step's mean objective there."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What an effect may know of the run that it is part of.

    Attributes:
        name: The regularizer's name in the plan, which is also its streams' purpose: `mixup`, `l1_2`.
        touched: Names of the tensors it acts on.
        tensors: Every tensor of the model, by name.
        layers: The label of every layer, with the kind.
        task: What the outputs mean.
        dtype: Of the weights.
        device: Of the weights.
        inputs: For each member the models that its regularizer names in `inputs` or `trained_first`: plain modules in
            evaluation mode that take this run's rows, (N, *shape), and need no gradients. Members whose models are the
            same share one.
        preprocessing: How rows were made of what was measured: what a black pixel is, which places are of one column.
            None if that is unknown, and then the rows are taken as what was measured.
    """

    name: str
    touched: Sequence[str]
    tensors: Mapping[str, TensorInfo]
    layers: Mapping[str, str]
    task: Task
    dtype: torch.dtype
    device: torch.device
    inputs: Sequence[Mapping[str, nn.Module]] = ()
    preprocessing: Preprocessing | None = None


@dataclass(frozen=True)
class EpochChoice:
    """An effect's decisions after an evaluation.

    Attributes:
        keep: Members whose weights are the best so far and are remembered.
        stop: Members that can stop.
        undefined: Watched metrics that had no value, for the first time, by member.
    """

    keep: frozenset[int] = frozenset()
    stop: frozenset[int] = frozenset()
    undefined: Mapping[int, str] = field(default_factory=dict)


class Effect:
    """A regularizer at work on K members. It acts at the hooks that it overrides, in the order of `regcore.loop`.

    `on_batch`, `weights`, `loss` and `gradients` are pure: SAM, R-Drop and accumulation call them several times in a
    step. State changes in `after_step` and `on_evaluation` alone.

    Args:
        members: One spec per member.
        setting: The run.

    Attributes:
        state: Tensors (K, ...); it belongs to the run, which selects, saves and restores it.
    """

    ranks: ClassVar[Mapping[str, int]] = {}
    """Its place among others at a hook; of wrappers (`loss`, `gradients`) the lowest is the innermost. Where ranks are
    equal, the order is the spec's."""

    def __init__(self, members: Sequence[Any], setting: Setting) -> None:
        self.members = members
        self.setting = setting
        self.touched = setting.touched
        self.state: Tree = {}
        self._elementwise: tuple[Elementwise, dict[str, Elementwise]] | None = None
        self.setup()

    def setup(self) -> None:
        """Compute what each step needs of these specs."""

    @property
    def watched_layers(self) -> frozenset[str]:
        """Labels of the layers whose outputs it wants in `Pass.watched`."""
        return frozenset()

    def adds(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Learned tensors of its own, such as gates, (K, ...), by name."""
        return {}

    def start(self, tensors: Mapping[str, Tensor]) -> Tree:
        """Its state before the first step."""
        return {}

    def on_batch(self, batch: Batch, at: At) -> Batch:
        """Change rows or targets of a batch."""
        return batch

    def weights(self, tensors: Mapping[str, Tensor], at: At) -> Mapping[str, Tensor]:
        """What the network computes with, differentiable in `tensors`; if not `at.training`, what is finished."""
        return tensors

    def loss(self, compute: Compute, batch: Batch, at: At) -> Pass:
        """One pass over a batch, with other losses or further terms of the objective."""
        return compute(batch, at)

    def gradients(self, slope: Slopes, weights: Mapping[str, Tensor], at: At) -> Slope:
        """The step's gradient."""
        return slope(weights, at)

    @property
    def is_settled(self) -> bool:
        """Whether `elementwise` gives the same in every step, so that it need not be asked again."""
        return False

    def elementwise(self, update: Update, at: At) -> Mapping[str, Elementwise]:
        """Its part in the one pass that moves each weight, by tensor; the same object as before if nothing changed."""
        return {}

    def after_step(self, tensors: Mapping[str, Tensor], update: Update, at: At) -> None:
        """Change weights, in place, or its state, once the optimizer has moved the weights: projections, averages."""

    def on_evaluation(self, metrics: Sequence[Mapping[str, float]]) -> EpochChoice:
        """Judge each member's metrics after an evaluation that its spec asks for."""
        return EpochChoice()

    def penalty(self, tensors: Mapping[str, Tensor], at: At) -> Tensor | None:
        """Its part of the objective by the weights alone, (K,), float64; for the record. None if it has none."""
        return None

    def each(self, name: str) -> tuple[float, ...]:
        """A numeric field of every member."""
        return tuple(float(getattr(member, name)) for member in self.members)

    def column(self, name: str, like: Tensor) -> float | Tensor:
        """A numeric field of every member, to multiply a tensor (K, ...) with."""
        return coefficient(self.each(name), like)

    def on_touched(self, does: Elementwise) -> Mapping[str, Elementwise]:
        """The same for each tensor that it touches."""
        if self._elementwise is None or self._elementwise[0] != does:
            self._elementwise = does, dict.fromkeys(self.touched, does)
        return self._elementwise[1]
