"""The bases of regularizers: spec fields, the tensors they act on, and the effect at the step's hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from regcore.at import At
from regcore.doubts import Doubt, RunShape
from regcore.errors import shortened
from regcore.frozen import Frozen, Fusible
from regcore.layers import Layer
from regcore.members import coefficient
from regcore.optim.elementwise import Elementwise
from regcore.schedule import ConstantSchedule, Schedule
from regcore.shapes import Role, RowInfo, TensorInfo

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from regcore.data.rows import Batch
    from regcore.optim import Update
    from regcore.passes import Pass, Slope
    from regcore.tasks import Task
    from regcore.trees import Tree

    Compute = Callable[[Batch, At], Pass]
    """From a batch to what one pass over it gives."""
    Slopes = Callable[[Mapping[str, Tensor], At], Slope]
    """From learned tensors to the gradient of the step's mean objective there."""

Stronger = Mapping[str, Literal["larger", "smaller"] | None]

Pattern = Annotated[str, StringConstraints(max_length=200)]

DEFAULT_ROLES: Final[tuple[Role, ...]] = ("weight",)
NO_LAYERS: Final[Mapping[str, str]] = MappingProxyType({})


class Select(Frozen):
    """Which tensors, by name; `*` stands for anything."""

    include: list[Pattern] = Field(default=["*.weight"], min_length=1, max_length=100)
    """Tensors that match one of these,"""
    exclude: list[Pattern] = Field(default=[], max_length=100)
    """but none of these."""

    def names(self, tensors: Sequence[str]) -> list[str]:
        """Those that are selected, in their own order."""
        return [
            name
            for name in tensors
            if any(fnmatchcase(name, pattern) for pattern in self.include)
            and not any(fnmatchcase(name, pattern) for pattern in self.exclude)
        ]


@dataclass(frozen=True)
class JobRef:
    """Another job whose weights a job needs.

    Attributes:
        job_id: Its id.
    """

    job_id: str


@dataclass(frozen=True)
class PenaltyStrengths:
    """A penalty λ₁‖w‖₁ + (λ₂/2)‖w‖², which is constant over the run."""

    l1: float = 0.0
    l2: float = 0.0


class Regularizer(Fusible):
    """The spec of a regularizer. One file per kind has the fields, the formula, the source and the effect."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]
    """The regularizer as JSON in an example job."""
    example_model: ClassVar[dict[str, Any]] = {"kind": "mlp", "hidden": [32]}
    """The model of that job."""
    adds_to_objective: ClassVar[bool] = False
    """Whether it has a penalty that is recorded as `objective/penalty.{name}`."""
    only_once: ClassVar[bool] = False
    """Whether a spec may hold it once only."""
    twice: ClassVar[str | None] = None
    """What is doubtful about two of its kind in one spec; None if nothing."""
    stronger: ClassVar[Stronger] = {}
    """For each numeric field, the end that regularizes more; None for neither. Of equally good values the strongest is
    taken, as the simplest model."""

    scheduled: ClassVar[tuple[str, ...]] = ()
    """Fields that its schedule multiplies."""
    decays: ClassVar[tuple[str, ...]] = ()
    """Fields λ for which every step reduces each weight by the share ηλ."""
    decays_by_gradient: ClassVar[bool] = False
    """Whether that happens by a gradient λw, which the optimizer treats like any other."""
    thresholds: ClassVar[tuple[str, ...]] = ()
    """Fields λ for which every step reduces the size of each weight by up to ηλ, times the optimizer's gain."""

    kind: str

    def rewrite(self, layers: Sequence[Layer]) -> Sequence[Layer]:
        """Surgery: return the model's layers with this regularizer's changes. Raises ValueError if nothing matches."""
        return layers

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        """Names of the tensors it acts on, among the learned ones. Raises ValueError if a selector matches nothing."""
        return []

    def needs(
        self,
        *,
        task: type[Task],
        num_validation_rows: int,
        num_classes: int = 0,
        layers: Mapping[str, str] = NO_LAYERS,
        row: RowInfo | None = None,
    ) -> str | None:
        """What it lacks to take effect, with the remedy; None if nothing.

        Args:
            task: The kind of task.
            num_validation_rows: Rows of the validation split.
            num_classes: Of a classification; else 0.
            layers: The kind of every layer by its label, those inside others too.
            row: What is learned from; None where that does not matter.
        """
        return None

    def inputs(self) -> dict[str, JobRef]:
        """The jobs whose weights it needs, by the field that names each."""
        return {}

    def trained_first(self) -> dict[str, dict[str, Any]]:
        """The models that the job itself trains for it before it begins, on its own data and task.

        By the field that describes each, the parts of its spec: `model`, `optimizer`, `regularizers`, `training`, and
        `data` if that was written out.
        """
        return {}

    def input_problem(self, name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str | None:
        """Why another job's model cannot be this input, as far as the plans tell, with the remedy; None if it can.

        Args:
            name: The field that names the job.
            theirs: The public plan of the job that is named.
            ours: That of the job which it is for.
        """
        return None

    def num_extra(self, tensors: Sequence[TensorInfo]) -> int:
        """How many numbers it holds for a member, besides the model's own: averages, gates, second gradients.

        Args:
            tensors: The model's, buffers too.
        """
        return 0

    @property
    def shrinks_weights(self) -> bool:
        """Whether it makes the weights that it touches smaller."""
        return bool(self.decays or self.thresholds or self.adds_to_objective)

    @property
    def thresholds_by_gradient(self) -> bool:
        """Whether that happens by a gradient λ·sign(w), which may move a weight past zero."""
        return False

    @property
    def strength_schedule(self) -> Schedule:
        """The factor of its `scheduled` fields over the run."""
        return ConstantSchedule()

    @property
    def strengths(self) -> PenaltyStrengths | None:
        """Its penalty, if that is λ₁‖w‖₁ + (λ₂/2)‖w‖² at every step, and all that it does; else None."""
        return None

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        """What is doubtful about this regularizer in such a run."""
        yield from ()

    @property
    def watches(self) -> str | None:
        """The metric by which it selects the evaluation whose weights are kept; None if it does not select."""
        return None

    def remark(self, touched: Sequence[TensorInfo], tensors: Mapping[str, Tensor]) -> str | None:
        """One sentence for the report: what it has done to a finished model; None if there is nothing to tell.

        Args:
            touched: The tensors that it acts on.
            tensors: The model's, by name, without the member axis.
        """
        return None

    def explain(self, touched: Sequence[str]) -> str:
        """One sentence for the plan: what it does, and where."""
        return f"{self.summary} On: {', '.join(touched)}." if touched else self.summary

    @classmethod
    def bind(cls, members: Sequence[Any], setting: Setting) -> Effect | None:
        """The effect for K members of this kind; None if it acts only by surgery."""
        return None


class SelectingRegularizer(Regularizer):
    """A regularizer of selected tensors."""

    roles: ClassVar[tuple[Role, ...]] = DEFAULT_ROLES
    """The roles of the tensors that it takes by default."""

    select: Select | None = None
    """Which tensors; null for the weights of layers: never biases, normalization, embeddings."""

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        known = [tensor.name for tensor in tensors]
        if self.select is None:
            names = [tensor.name for tensor in tensors if tensor.role in self.roles]
            if not names:
                raise ValueError(
                    f"{self.kind} acts on weights, and the model has none among {shortened(', '.join(known), 300)}. "
                    "Use another model, or leave the regularizer out"
                )
            return names
        names = self.select.names(known)
        if not names:
            raise ValueError(
                f"select must match at least one parameter of {shortened(', '.join(known), 300)}; received "
                f"include={shortened(str(self.select.include), 200)}, "
                f"exclude={shortened(str(self.select.exclude), 200)}, which match none. "
                "Name one of those, or leave select out for every weight"
            )
        return names


class WeightRegularizer(SelectingRegularizer):
    """A regularizer of selected weights, with a schedule of its strength."""

    schedule: Schedule = ConstantSchedule()
    """How the strength changes over the run."""

    @property
    def strength_schedule(self) -> Schedule:
        return self.schedule

    def doubts(self, run: RunShape) -> Iterator[Doubt]:
        for doubt in self.schedule.doubts(run, "strength"):
            yield replace(doubt, pointer=f"/schedule{doubt.pointer}")


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
    """

    name: str
    touched: Sequence[str]
    tensors: Mapping[str, TensorInfo]
    layers: Mapping[str, str]
    task: Task
    dtype: torch.dtype
    device: torch.device
    inputs: Sequence[Mapping[str, nn.Module]] = ()


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
