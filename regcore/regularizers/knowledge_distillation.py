"""Knowledge distillation: the network learns what a finished one, its teacher, says of each row.

The paper's objective is the weighted mean of two: the cross entropy with the true labels, and that with the teacher's
probabilities, both softened by a temperature T. Here the second is the divergence, which differs by the entropy of the
teacher's probabilities: a constant, so that gradients are the paper's, and a student who says what its teacher says
has nothing left to learn. Gradients through softened probabilities shrink with 1/T², hence the factor T².

Source: Hinton, Vinyals & Dean 2015, Distilling the knowledge in a neural network, §2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator

from regcore.at import At
from regcore.frozen import Frozen
from regcore.members import coefficient
from regcore.regularizers.base import JobRef, Regularizer, Stronger, Surroundings
from regcore.regularizers.effect import Effect, Setting

if TYPE_CHECKING:
    from torch import Tensor

    from regcore.data.rows import Batch
    from regcore.passes import Pass
    from regcore.regularizers.effect import Compute

    AnyData = Frozen
    AnyModel = Frozen
    AnyOptimizer: TypeAlias = Any
    AnyRegularizer = Regularizer
    Training: TypeAlias = Any

MAX_TEMPERATURE = 1e4


class FinishedTeacher(Frozen):
    """The model of a job that succeeded, of the same columns or image shape and the same classes."""

    job_id: Annotated[str, StringConstraints(pattern=r"^job_[0-9A-HJKMNP-TV-Z]{26}$")]
    """The job's id."""


class TeacherSpec(Frozen):
    """A teacher that the job trains itself before it begins, on its own data and task."""

    model: AnyModel
    """Usually a larger one than the job's own."""
    optimizer: AnyOptimizer = Field(default={"kind": "sgd"})
    """As of any job."""
    regularizers: list[AnyRegularizer] = Field(default=[], max_length=32)
    """The teacher's."""
    training: Training = Field(default={})
    """As of any job; its seed is not the student's."""
    data: AnyData | None = None
    """The job's own, which null stands for; no other is accepted, because the teacher is asked about the job's rows."""

    @field_validator("regularizers")
    @classmethod
    def _no_teacher_of_its_own(cls, regularizers: list[Regularizer]) -> list[Regularizer]:
        if any(regularizer.kind == "knowledge_distillation" for regularizer in regularizers):
            raise ValueError(
                "a teacher that is described inside a job has no teacher of its own. Train it as a job, and name that "
                "by its job_id"
            )
        return regularizers


def _form(teacher: object) -> str:
    is_finished = isinstance(teacher, FinishedTeacher) or (isinstance(teacher, Mapping) and "job_id" in teacher)
    return "finished" if is_finished else "described"


Teacher: TypeAlias = Annotated[
    Annotated[FinishedTeacher, Tag("finished")] | Annotated[TeacherSpec, Tag("described")], Discriminator(_form)
]


class KnowledgeDistillation(Regularizer):
    """(1 − α)·CE + α·T²·KL."""

    summary: ClassVar[str] = "Adds how far the predictions are from those of a finished model, both softened."
    formula: ClassVar[str] = (
        "(1 − α)·CE(y, softmax(z)) + α·T²·KL(softmax(t/T) ‖ softmax(z/T)),  t: the teacher's logits, z: the network's"
    )
    source: ClassVar[str] = "Hinton, Vinyals & Dean 2015, §2"
    example: ClassVar[dict[str, Any]] = {
        "kind": "knowledge_distillation",
        "teacher": {"model": {"kind": "mlp", "hidden": [64]}},
        "temperature": 4.0,
        "alpha": 0.5,
    }
    adds_to_objective: ClassVar[bool] = True
    only_once: ClassVar[bool] = True
    member_fields: ClassVar[frozenset[str] | None] = frozenset({"temperature", "alpha"})
    stronger: ClassVar[Stronger] = {"temperature": None, "alpha": "larger"}

    kind: Literal["knowledge_distillation"] = "knowledge_distillation"
    teacher: Teacher
    """`{"job_id": …}`: a finished job's model. Or a spec, of which only `model` is required: the teacher is then
    trained first, on the job's own data."""
    temperature: float = Field(default=4.0, gt=0, le=MAX_TEMPERATURE)
    """T: the higher, the more the ratios of small probabilities count."""
    alpha: float = Field(default=0.5, ge=0, le=1)
    """α, the teacher's share of the objective; the true labels have the rest."""

    @property
    def shrinks_weights(self) -> bool:
        return False

    def inputs(self) -> dict[str, JobRef]:
        return {"teacher": JobRef(self.teacher.job_id)} if isinstance(self.teacher, FinishedTeacher) else {}

    def trained_first(self) -> dict[str, dict[str, Any]]:
        if isinstance(self.teacher, FinishedTeacher):
            return {}
        return {"teacher": {name: getattr(self.teacher, name) for name in type(self.teacher).model_fields}}

    def input_problem(self, name: str, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str | None:
        words = {"task": "task", "classes": "classes", "input_shape": "input shape"}
        differing = [word for field, word in words.items() if theirs.get(field) != ours.get(field)]
        if not differing:
            return None
        return (
            f"the teacher differs from this job in its {' and its '.join(differing)}. Name a job on the same kind of "
            "rows with the same classes."
        )

    def needs(self, job: Surroundings) -> str | None:
        if not job.task.has_classes:
            return (
                f"knowledge_distillation compares the probabilities of classes, and this task is {job.task.kind}; "
                "leave it out."
            )
        return None

    @classmethod
    def bind(cls, members: Sequence[KnowledgeDistillation], setting: Setting) -> Effect:
        return _DistillationEffect(members, setting)


class _DistillationEffect(Effect):
    """All members have the same teacher: it is no member field."""

    members: Sequence[KnowledgeDistillation]
    ranks: ClassVar[Mapping[str, int]] = {"loss": 10}

    def loss(self, compute: Compute, batch: Batch, at: At) -> Pass:
        found = compute(batch, at)
        outputs, losses = found.outputs, found.losses
        divergence = softened_divergence(self._asked(batch, outputs), outputs, self.column("temperature", outputs))
        share = self.column("alpha", losses)
        weight = coefficient(
            [alpha * t**2 for alpha, t in zip(self.each("alpha"), self.each("temperature"), strict=True)], losses
        )
        return replace(found, losses=losses * (1 - share)).plus(self.setting.name, divergence * weight)

    def _asked(self, batch: Batch, outputs: Tensor) -> Tensor:
        """The teacher's logits of these rows, (K, B, classes), or (1, B, classes) where all members see the same."""
        import torch

        teacher = self.setting.inputs[0]["teacher"]
        x, lengths = batch.x, batch.lengths
        more = []
        if lengths is not None and getattr(teacher, "takes_lengths", False):
            more = [lengths.expand(x.shape[:2]).flatten()]
        with torch.no_grad():
            said: Tensor = teacher(x.flatten(0, 1), *more)
        return said.to(outputs.dtype).view(*x.shape[:2], -1)


def softened_divergence(teacher: Tensor, student: Tensor, temperature: float | Tensor) -> Tensor:
    """KL(softmax(t/T) ‖ softmax(z/T)), in nats.

    Args:
        teacher: Logits t, (K, B, classes) or (1, B, classes); a last axis of 1 holds single logits for two classes.
        student: Logits z, (K, B, classes) or (K, B, 1).
        temperature: T, one number or (K, 1, 1).

    Returns:
        (K, B).
    """
    p, q = ((of_each_class(logits) / temperature).log_softmax(-1) for logits in (teacher, student))
    return (p.exp() * (p - q)).sum(-1)


def of_each_class(logits: Tensor) -> Tensor:
    """A logit for each of two classes where there is a single one, which is the second's against 0."""
    from torch.nn import functional

    return functional.pad(logits, (1, 0)) if logits.shape[-1] == 1 else logits
