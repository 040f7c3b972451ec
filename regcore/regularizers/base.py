"""The bases of regularizers: spec fields, and the tensors they act on. What they do is in `effect`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import Field, StringConstraints

from regcore.doubts import Doubt, RunShape
from regcore.errors import shortened
from regcore.frozen import Frozen, Fusible
from regcore.layers import Layer
from regcore.schedule import ConstantSchedule, Schedule
from regcore.shapes import Role, RowInfo, TensorInfo

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.regularizers.effect import Effect, Setting
    from regcore.tasks import Task

Stronger = Mapping[str, Literal["larger", "smaller"] | None]

Pattern = Annotated[str, StringConstraints(max_length=200)]

DEFAULT_ROLES: Final[tuple[Role, ...]] = ("weight",)


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


@dataclass(frozen=True)
class Surroundings:
    """What a regularizer meets in a job.

    Attributes:
        task: The kind of task.
        num_validation_rows: Rows of the validation split.
        num_classes: Of a classification; else 0.
        layers: The kind of every layer by its label, those inside others too.
        row: What is learned from; None where that does not matter.
    """

    task: type[Task]
    num_validation_rows: int
    num_classes: int = 0
    layers: Mapping[str, str] = field(default_factory=dict)
    row: RowInfo | None = None


class Regularizer(Fusible):
    """The spec of a regularizer. One file per kind has the fields, the formula, the source and the effect."""

    summary: ClassVar[str]
    formula: ClassVar[str]
    source: ClassVar[str]
    example: ClassVar[dict[str, Any]]
    """The regularizer as JSON in an example job."""
    example_model: ClassVar[dict[str, Any]] = {"kind": "mlp", "hidden": [32]}
    """The model of that job."""
    example_data: ClassVar[dict[str, Any]] = {"kind": "builtin", "name": "digits"}
    """Its data."""
    adds_to_objective: ClassVar[bool] = False
    """Whether it has a penalty that is recorded as `objective/penalty.{name}`."""
    only_once: ClassVar[bool] = False
    """Whether a spec may hold it once only."""
    twice: ClassVar[str | None] = None
    """What is doubtful about two of its kind that act on the same tensors, or on none; None if nothing."""
    freezes: ClassVar[bool] = False
    """Whether the tensors that it touches are not trained; then no other regularizer acts on them either."""
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

    def fitted(self, row: RowInfo) -> Self:
        """The same, with the defaults that depend on what is learned from."""
        return self

    def rewrite(self, layers: Sequence[Layer]) -> Sequence[Layer]:
        """Surgery: return the model's layers with this regularizer's changes. Raises ValueError if nothing matches."""
        return layers

    def touched(self, tensors: Sequence[TensorInfo]) -> list[str]:
        """Names of the tensors it acts on, among the learned ones. Raises ValueError if a selector matches nothing."""
        return []

    def needs(self, job: Surroundings) -> str | None:
        """What it lacks in this job to take effect, with the remedy; None if nothing."""
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
