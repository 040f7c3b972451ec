"""The job spec: the request body, the stored record and the engine's input, one object."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from unicodedata import category

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import PydanticKnownError

from regcore.frozen import Frozen
from regcore.json_values import plain
from regcore.optim import SGD
from regcore.shapes import Predicted
from regcore.spec.data import AnyData
from regcore.spec.kinds import MODELS, TASKS, AnyModel, AnyOptimizer, AnyRegularizer
from regcore.spec.training import Training

MAX_LABELS = 16
MAX_CLASS_WEIGHT = 1e12
MAX_CLASSES = 10_000


def _without_controls(text: str) -> str:
    if any(category(character) in ("Cc", "Cs") for character in text):
        raise ValueError("must be free of control characters and line breaks. Leave them out")
    return text


def _no_bool(value: object) -> object:
    if isinstance(value, bool):  # True equals 1, and would be accepted as 1
        raise PydanticKnownError("literal_error", {"expected": "1"})
    return value


One = Annotated[Literal[1], BeforeValidator(_no_bool)]

LabelKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$")]
LabelValue = Annotated[str, StringConstraints(max_length=256), AfterValidator(_without_controls)]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=MAX_LABELS)]

ClassWeights = Annotated[list[Annotated[float, Field(gt=0, le=MAX_CLASS_WEIGHT)]], Field(max_length=MAX_CLASSES)]

if TYPE_CHECKING:
    from torch import nn

    TaskKind = str
    Loss = str
else:
    TaskKind = Literal[tuple(TASKS)]
    Loss = Literal[tuple(loss for task in TASKS.values() for loss in task.losses)]

JobName = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_without_controls)]


class TaskSpec(Frozen):
    """What is predicted, and how a wrong prediction counts."""

    kind: Literal["auto"] | TaskKind = "auto"
    """`auto`: what the data set is for. `reconstruction`: the row itself, without a target."""
    loss: Loss | Literal["auto"] = "auto"
    """`auto`: cross_entropy for classes, else mse. `mse` is the plain mean of squares over elements; `huber` has δ = 1,
    in the unit of scaled targets where `data.standardize_target` scales them."""
    class_weights: Literal["balanced"] | ClassWeights | None = None
    """Weight of each class in the loss, also in the reported one; `balanced`: rows / (classes · rows of the class)."""

    @property
    def predicts(self) -> Predicted | None:
        """What `kind` predicts: classes or numbers of a target, or rows themselves; None if the data decide."""
        task = TASKS.get(self.kind)
        if task is None:
            return None
        return "classes" if task.has_classes else "numbers" if task.has_numbers else "rows"


class Resources(Frozen):
    """Where the job may run, and its limits."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: a GPU where the worker has one."""
    num_devices: One = 1
    """1 in this version."""
    pool: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] | None = None
    """Only workers of this pool; null for workers without a pool."""
    max_runtime_s: float = Field(default=86_400, gt=0, le=31_536_000)
    """Seconds of training after which the job fails."""
    max_memory_bytes: int | None = Field(default=None, ge=1)
    """Resident bytes of the training process above which the job fails; null for no limit."""


class InitFrom(Frozen):
    """Starting weights, from a succeeded job whose parameters have the same names and shapes."""

    job_id: Annotated[str, StringConstraints(pattern=r"^job_[0-9A-HJKMNP-TV-Z]{26}$")]
    """The job's id."""


class JobSpec(Frozen):
    """One training job. Only `data` and `model` are required."""

    spec_version: One = 1
    """Version of this format."""
    name: JobName | None = None
    """For people."""
    labels: Labels = Field(default={})
    """For filters; at most 16 pairs."""
    data: AnyData
    task: TaskSpec = TaskSpec()
    model: AnyModel
    optimizer: AnyOptimizer = SGD()
    regularizers: list[AnyRegularizer] = Field(default=[], max_length=32)
    """Applied at the stages that each one declares; the order matters only inside a stage."""
    training: Training = Training()
    resources: Resources = Resources()
    priority: Literal["low", "normal", "high"] = "normal"
    """Which of the waiting jobs starts first. A step up counts as a day of waiting, or as the server's setting says: a
    `low` job is overtaken for a while, but not for ever."""
    fusion: Literal["auto", "off"] = "auto"
    """Whether the job may share a training pass with others; `off` keeps it alone."""
    init_from: InitFrom | None = None
    """The job whose weights to begin with; null for fresh ones."""
    exports: Annotated[list[str], Field(max_length=0)] = Field(default=[])
    """Empty in this version."""

    @model_validator(mode="before")
    @classmethod
    def _task_of_its_model(cls, given: Any) -> Any:
        """With the task that the model is for, if none is asked for: the data are read for it."""
        if not isinstance(given, dict):
            return given
        model, task = given.get("model"), given.get("task")
        kind = model.get("kind") if isinstance(model, dict) else getattr(model, "kind", None)
        only = MODELS[kind].task if isinstance(kind, str) and kind in MODELS else None
        if only is None or not (task is None or isinstance(task, dict | TaskSpec)):
            return given
        asked = task.model_dump(exclude_unset=True) if isinstance(task, TaskSpec) else task or {}
        return given | {"task": asked | {"kind": only}} if asked.get("kind", "auto") == "auto" else given

    def __init__(self, /, **fields: Any) -> None:
        # Only in Python, where `train(spec, x, y)` brings the rows; JSON must say where they are.
        fields = {"data": {"kind": "arrays"}, **fields}
        try:
            super().__init__(**fields)
        except ValidationError as error:
            from regcore.spec.validation import refusal  # which knows this class

            raise refusal(error, plain(fields)) from None

    # Marked as pydantic marks its own: parsing, alone or inside another model, does not call this.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_module(cls, net: "nn.Module", input_shape: Sequence[int], **fields: Any) -> Self:
        """A spec whose model is a torch Sequential of known layers, written out.

        The model computes the same from the same weights, of which the job draws its own.

        Args:
            net: A Sequential, also of Sequentials, or a single layer.
            input_shape: Of one row, without the batch: (features,), (C, H, W), (C, T) or, for tokens, (T,).
            fields: The spec's others: `data`, `optimizer`, `regularizers`, ….

        Raises:
            SpecError: Some of it cannot be written; each place is named.
        """
        from regcore.spec.from_module import layers_of

        return cls(model={"kind": "layers", "layers": layers_of(net, tuple(input_shape))}, **fields)
