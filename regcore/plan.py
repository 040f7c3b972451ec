"""Everything that follows from a spec before training: names, shapes, counts, and which regularizer acts on what.

The api makes the plan to accept or refuse a job, and the engine to train it; it needs no torch.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from pydantic import Field

from regcore.data.facts import DataFacts, FactsOf, known_facts
from regcore.data.split import split_sizes
from regcore.doubts import RunShape
from regcore.errors import FieldError, SpecError, shortened
from regcore.frozen import Immutable
from regcore.fusion import fusion_key, member_bytes
from regcore.layers import AnyLayer, Shape, complete, label_layers, walk_shapes
from regcore.lint import SpecWarning, lint
from regcore.ranges import leaving_range
from regcore.regularizers import Regularizer
from regcore.spec.job import JobSpec, Training
from regcore.spec.mending import mend
from regcore.spec.validation import parse_spec

T = TypeVar("T")

CLASSIFICATION_LOSSES = ("cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class Ceilings:
    """The largest job that is accepted. A server sets these; the engine alone has none.

    Attributes:
        epochs: Passes over the train split.
        parameters: Learned numbers.
        steps: Optimizer steps.
        hidden_layers: Widths in `model.hidden`.
        layers: Layers, surgery included.
        data_bytes: Memory of all rows as the network gets them: a category takes many places.
    """

    epochs: int = 100_000
    parameters: int = 10**8
    steps: int = 10**8
    hidden_layers: int = 64
    layers: int = 512
    data_bytes: int = 16 * 2**30


class ParameterInfo(Immutable):
    """One parameter of the model, without a member axis."""

    name: str
    shape: tuple[int, ...]
    num_elements: int


class RowCounts(Immutable):
    """Rows in each split."""

    train: int
    validation: int
    test: int


class RegularizerPlan(Immutable):
    """The targets of one regularizer."""

    name: str
    """Its kind, with an ordinal from the second of a kind on: `l1`, `l1_2`. Used in `objective/penalty.{name}`."""
    kind: str
    parameters: list[str]
    note: str


class Plan(Immutable):
    """A spec that can be trained, with everything that follows from it."""

    resolved_spec: JobSpec
    warnings: list[SpecWarning]
    layers: list[AnyLayer]
    """The model's expansion, after surgery."""
    layer_names: list[str]
    parameters: list[ParameterInfo]
    num_parameters: int
    num_rows: RowCounts
    input_shape: tuple[int, ...]
    num_outputs: int
    classes: list[str] | None
    task: str
    loss: str
    batch_size: int = Field(description="Rows in a batch; a step sees `grad_accumulation` of them.")
    steps_per_epoch: int
    num_steps: int
    num_epochs: int
    regularizers: list[RegularizerPlan]

    @property
    def fusion_key(self) -> str | None:
        """Equal for jobs that may train in one pass; None if the job trains alone."""
        return fusion_key(self.resolved_spec)

    @property
    def member_bytes(self) -> int:
        """Estimated memory as one more member of a training pass."""
        shape, widths = self.input_shape, [math.prod(self.input_shape)]
        for layer in self.layers:
            shape = layer.output_shape(shape)
            widths.append(math.prod(shape))
        return member_bytes(
            num_parameters=self.num_parameters,
            widths=widths,
            batch_size=self.batch_size,
            num_rows=self.num_rows.train + self.num_rows.validation + self.num_rows.test,
            num_outputs=self.num_outputs,
            itemsize=8 if self.resolved_spec.training.precision == "float64" else 4,
        )

    def public(self) -> dict[str, Any]:
        """The job's `plan`, without what the job shows elsewhere."""
        return self.model_dump(mode="json", exclude={"resolved_spec", "warnings"})


Check = Callable[[Any, Plan | None], list[FieldError]]
"""Returns further errors of a spec, which only a server can know. The plan is None if the spec is wrong by itself."""


class _Problems:
    """Collects errors, so that a user gets all of them at once."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def add(self, pointer: str, code: str, message: str) -> None:
        self.errors.append(FieldError(pointer, code, message))

    def attempt(self, pointer: str, code: str, action: Callable[[], T], fallback: T) -> T:
        """Return the action's value, or the fallback if it raises ValueError, which is noted."""
        try:
            return action()
        except ValueError as error:
            self.add(pointer, code, str(error))
            return fallback

    def stop_if_any(self) -> None:
        if self.errors:
            raise SpecError(self.errors)


def make_plan(spec: Any, ceilings: Ceilings | None = None, *, facts_of: FactsOf = known_facts) -> Plan:
    """Resolve a spec.

    Args:
        spec: As the user wrote it: a JobSpec, or JSON.
        ceilings: Limits to hold it to; None for no limits.
        facts_of: Finds the facts of its data; by default those of built-in sets alone.

    Raises:
        SpecError: The spec is invalid, cannot be trained, or exceeds a ceiling; every place is named.
    """
    try:
        parsed = parse_spec(spec)
    except SpecError as error:
        if error.num_left_off:  # with this many errors, checking the rest helps little
            raise
        raise error.with_more(_further_problems(spec, error.errors, ceilings, facts_of)) from None
    return _plan(parsed, ceilings, facts_of(parsed))


def _further_problems(
    body: Any, errors: Sequence[FieldError], ceilings: Ceilings | None, facts_of: FactsOf
) -> list[FieldError]:
    """Contradictions between the correct fields of a spec that also has wrong ones."""
    mended = mend(body, errors)
    if mended is None:
        return []
    try:
        _plan(mended.spec, ceilings, facts_of(mended.spec))
    except SpecError as error:
        return mended.also_wrong(error.errors)
    return []


def _plan(spec: JobSpec, ceilings: Ceilings | None, facts: DataFacts) -> Plan:
    problems = _Problems()
    rows = _count_rows(spec, facts, problems)
    resolved = _resolve(spec, facts, rows, problems)
    num_outputs = _num_outputs(resolved, facts)
    # A model above a ceiling is not built: 300,000 widths fit into a body.
    nothing: list[AnyLayer] = []
    is_too_deep = ceilings is not None and _is_too_deep(resolved, ceilings)
    layers = nothing if is_too_deep else _expand(resolved, facts.feature_shape, num_outputs, problems)
    shapes = _parameter_shapes(layers, facts.feature_shape)
    regularizers = _plan_regularizers(resolved, list(shapes), rows, len(facts.classes or ()), problems)
    batch_size = _batch_size(resolved, rows, problems)
    steps_per_epoch = math.ceil(rows.train / (batch_size * resolved.training.grad_accumulation)) if rows else 0
    if ceilings:
        num_parameters = sum(map(math.prod, shapes.values()))
        num_layers = max(len(layers), len(getattr(resolved.model, "layers", [])))
        _hold_to(ceilings, resolved, num_parameters, num_layers, steps_per_epoch, problems)
        _hold_data_to(ceilings, resolved, facts, rows, problems)
    run = _run_shape(resolved, rows, steps_per_epoch) if rows else None
    problems.errors += leaving_range(resolved, run) if run else []
    problems.stop_if_any()
    assert rows is not None, "a failed split has been reported"
    assert run is not None, "its rows are known"
    return Plan(
        resolved_spec=resolved,
        warnings=[
            *lint(resolved, layers, run, regularizers_touch=[entry.parameters for entry in regularizers]),
            *map(SpecWarning.of, facts.doubts),
        ],
        layers=layers,
        layer_names=label_layers(layers),
        parameters=[ParameterInfo(name=n, shape=s, num_elements=math.prod(s)) for n, s in shapes.items()],
        num_parameters=sum(map(math.prod, shapes.values())),
        num_rows=rows,
        input_shape=facts.feature_shape,
        num_outputs=num_outputs,
        classes=list(facts.classes) if facts.classes else None,
        task=resolved.task.kind,
        loss=resolved.task.loss,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        num_steps=steps_per_epoch * resolved.training.epochs,
        num_epochs=resolved.training.epochs,
        regularizers=regularizers,
    )


def _resolve(spec: JobSpec, facts: DataFacts, rows: RowCounts | None, problems: _Problems) -> JobSpec:
    """Fill in every default that depends on the data."""
    task = facts.task
    if spec.task.kind not in ("auto", task):  # the rest is checked as if it were what the data allow
        message = f"task.kind must be {task} for {facts.name}; received {spec.task.kind}."
        problems.add("/task/kind", "task_mismatch", message)
    loss = spec.task.loss
    if loss == "auto":
        loss = "cross_entropy" if task == "classification" else "mse"
    if (loss in CLASSIFICATION_LOSSES) != (task == "classification"):
        fitting = "cross_entropy or binary_cross_entropy" if task == "classification" else "mse, half_mse or huber"
        problems.add("/task/loss", "loss_mismatch", f"task.loss must be {fitting} for {task}; received {loss}.")
        loss = "cross_entropy" if task == "classification" else "mse"
    num_classes = len(facts.classes or ())
    if loss == "binary_cross_entropy" and num_classes not in (0, 2):
        problems.add(
            "/task/loss",
            "loss_mismatch",
            f"task.loss binary_cross_entropy needs two classes; {facts.name} has {num_classes}. Use cross_entropy.",
        )
        loss = "cross_entropy"
    _check_class_weights(spec, task, num_classes, problems)
    if spec.data.standardize_target and task == "classification":
        problems.add(
            "/data/standardize_target",
            "task_mismatch",
            f"data.standardize_target needs a regression, and {facts.name} is a classification; remove it.",
        )
    standardize = facts.modality == "table" if spec.data.standardize is None else spec.data.standardize
    scales_target = task == "regression" if spec.data.standardize_target is None else spec.data.standardize_target
    return spec.model_copy(
        update={
            "task": spec.task.model_copy(update={"kind": task, "loss": loss}),
            "data": spec.data.model_copy(update={"standardize": standardize, "standardize_target": scales_target}),
            "training": _fitting_training(spec.training, rows),
        }
    )


def _check_class_weights(spec: JobSpec, task: str, num_classes: int, problems: _Problems) -> None:
    weights = spec.task.class_weights
    if weights is None:
        return
    if task != "classification":
        problems.add("/task/class_weights", "task_mismatch", "task.class_weights needs a classification; remove it.")
    elif isinstance(weights, list) and len(weights) != num_classes:
        problems.add(
            "/task/class_weights",
            "wrong_length",
            f"task.class_weights must have one weight for each of {num_classes} classes; received {len(weights)}.",
        )


def _num_outputs(spec: JobSpec, facts: DataFacts) -> int:
    return len(facts.classes) if facts.classes and spec.task.loss != "binary_cross_entropy" else 1


def _expand(spec: JobSpec, input_shape: Shape, num_outputs: int, problems: _Problems) -> list[AnyLayer]:
    """The model's layers, completed, after every regularizer's surgery."""

    def completed() -> list[AnyLayer]:
        layers = complete(spec.model.expand(), input_shape, num_outputs)
        shape = input_shape
        for _, layer, seen in walk_shapes(layers, input_shape):
            shape = layer.output_shape(seen)
        if shape != (num_outputs,):
            raise ValueError(
                f"the model must end in {num_outputs} output(s) for this task; it ends in shape {shape}. "
                "End with a linear layer without features"
            )
        return layers

    nothing: list[AnyLayer] = []
    layers = problems.attempt("/model", "invalid_model", completed, nothing)
    if layers:
        for position, regularizer in enumerate(spec.regularizers):
            surgery = partial(regularizer.rewrite, layers)
            layers = problems.attempt(f"/regularizers/{position}", "matches_nothing", surgery, layers)
    labels = label_layers(layers)
    doubled = sorted(label for label, count in Counter(labels).items() if count > 1)
    if doubled:
        # Only now, so that the layers of regularizers are labelled too.
        message = f"layer names must differ; received {shortened(', '.join(doubled), 200)} twice. Rename one."
        problems.add("/model", "invalid_model", message)
    return layers


def _parameter_shapes(layers: Iterable[AnyLayer], input_shape: Shape) -> dict[str, Shape]:
    return {
        f"{label}.{parameter}": shape
        for label, layer, seen in walk_shapes(list(layers), input_shape)
        for parameter, shape in layer.parameter_shapes(seen).items()
    }


def _count_rows(spec: JobSpec, facts: DataFacts, problems: _Problems) -> RowCounts | None:
    """Rows in each split; None if there are none to train on."""
    sizes = facts.row_counts or split_sizes(facts.num_rows, spec.data, num_test_rows=facts.num_test_rows)
    limit = spec.data.train_limit
    if sizes.train == 0:
        problems.add(
            "/data", "empty_split", "data leaves no rows to train on; lower test_fraction or validation_fraction."
        )
        return None
    if limit is not None and limit > sizes.train:
        problems.add(
            "/data/train_limit",
            "limit_too_large",
            f"data.train_limit must be at most the {sizes.train} rows of the train split; received {limit}. "
            "Lower it, or leave it out for all rows.",
        )
    return RowCounts(train=sizes.train, validation=sizes.validation, test=sizes.test)


def _plan_regularizers(
    spec: JobSpec, parameters: list[str], rows: RowCounts | None, num_classes: int, problems: _Problems
) -> list[RegularizerPlan]:
    ordinals: dict[str, int] = {}
    plans: list[RegularizerPlan] = []
    for position, regularizer in enumerate(spec.regularizers):
        pointer = f"/regularizers/{position}"
        ordinal = ordinals[regularizer.kind] = ordinals.get(regularizer.kind, 0) + 1
        nothing: list[str] = []
        look = partial(regularizer.touched, parameters)
        # Without a model there are no parameters, and every selector would fail.
        touched = problems.attempt(f"{pointer}/select", "matches_nothing", look, nothing) if parameters else nothing
        problem = rows and regularizer.needs(
            task=spec.task.kind, num_validation_rows=rows.validation, num_classes=num_classes
        )
        if problem:
            problems.add(pointer, "cannot_apply", problem)
        if regularizer.kind == "early_stopping" and ordinal > 1:
            problems.add(pointer, "doubled", "early_stopping may be given once; remove the second.")
        plans.append(_regularizer_plan(regularizer, ordinal, touched))
    return plans


def _regularizer_plan(regularizer: Regularizer, ordinal: int, touched: list[str]) -> RegularizerPlan:
    name = regularizer.kind if ordinal == 1 else f"{regularizer.kind}_{ordinal}"
    return RegularizerPlan(name=name, kind=regularizer.kind, parameters=touched, note=regularizer.explain(touched))


def _fitting_training(training: Training, rows: RowCounts | None) -> Training:
    """With the default batch cut to a small train split; a batch that the user asked for stays as it is."""
    too_few = rows is not None and training.batch_size != "full" and rows.train < training.batch_size
    if rows is None or not too_few or "batch_size" in training.model_fields_set:
        return training
    return training.model_copy(update={"batch_size": rows.train})


def _batch_size(spec: JobSpec, rows: RowCounts | None, problems: _Problems) -> int:
    asked = spec.training.batch_size
    if asked == "full":
        return rows.train if rows else 0
    if rows and asked > rows.train:
        problems.add(
            "/training/batch_size",
            "batch_too_large",
            f"training.batch_size must be at most the {rows.train} rows of the train split; received {asked}. "
            'Lower it, or use "full".',
        )
    return asked


def _run_shape(spec: JobSpec, rows: RowCounts, steps_per_epoch: int) -> RunShape:
    return RunShape(
        num_epochs=spec.training.epochs,
        steps_per_epoch=steps_per_epoch,
        num_evaluations=-(-spec.training.epochs // spec.training.eval_every_epochs),
        num_validation_rows=rows.validation,
    )


def _is_too_deep(spec: JobSpec, ceilings: Ceilings) -> bool:
    """Whether the model exceeds a ceiling as it is written, before its short form is expanded."""
    of = spec.model
    return len(getattr(of, "hidden", [])) > ceilings.hidden_layers or len(getattr(of, "layers", [])) > ceilings.layers


def _hold_to(
    ceilings: Ceilings, spec: JobSpec, num_parameters: int, num_layers: int, steps_per_epoch: int, problems: _Problems
) -> None:
    epochs = spec.training.epochs
    for pointer, what, value, ceiling in (
        ("/training/epochs", "training.epochs", epochs, ceilings.epochs),
        ("/training/epochs", "optimizer steps", steps_per_epoch * epochs, ceilings.steps),
        ("/model", "parameters", num_parameters, ceilings.parameters),
        ("/model/hidden", "hidden layers", len(getattr(spec.model, "hidden", [])), ceilings.hidden_layers),
        ("/model", "layers", num_layers, ceilings.layers),
    ):
        if value > ceiling and all(error.pointer != pointer for error in problems.errors):
            problems.add(
                pointer,
                "over_ceiling",
                f"{what} may be at most {ceiling:,} on this server; received {value:,}. Lower it.",
            )


def _hold_data_to(
    ceilings: Ceilings, spec: JobSpec, facts: DataFacts, rows: RowCounts | None, problems: _Problems
) -> None:
    if rows is None:
        return
    num_rows, width = rows.train + rows.validation + rows.test, math.prod(facts.feature_shape)
    needed_bytes = num_rows * width * (8 if spec.training.precision == "float64" else 4)
    if needed_bytes > ceilings.data_bytes:
        problems.add(
            "/data",
            "over_ceiling",
            f"{num_rows:,} rows of {width:,} numbers need {needed_bytes:,} bytes of memory, and at most "
            f"{ceilings.data_bytes:,} are allowed on this server. Lower it: exclude columns, or set "
            "features.max_categories or train_limit.",
        )
