"""From a spec and the facts of its data to a plan, or to every place that is wrong."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from regcore.data.facts import DataFacts, FactsOf, known_facts
from regcore.data.inputs import STANDARDIZED
from regcore.data.placement import Placement, placement_of
from regcore.data.split import split_sizes
from regcore.doubts import Beside, RunShape
from regcore.errors import FieldError, SpecError
from regcore.kinds import plugins_among
from regcore.layers import Layer, label_layers, tensors_of, walk_all
from regcore.plan.ceilings import Ceilings, hold_data_to, hold_to, is_too_deep
from regcore.plan.first import first_warnings, plan_first
from regcore.plan.fusion import why_alone
from regcore.plan.lint import SpecWarning, lint
from regcore.plan.network import expand, hold_batches_to
from regcore.plan.objective import num_classes_of, resolve_task
from regcore.plan.plan import ParameterInfo, Plan, RegularizerPlan, RowCounts
from regcore.plan.problems import Problems
from regcore.plan.ranges import leaving_range
from regcore.plan.regularizers import plan_regularizers
from regcore.spec.job import JobSpec
from regcore.spec.kinds import TASKS
from regcore.spec.mending import mend
from regcore.spec.training import Training
from regcore.spec.validation import parse_spec

Check = Callable[[Any, Plan | None], list[FieldError]]
"""Returns further errors of a spec, which only a server can know. The plan is None if the spec is wrong by itself."""


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
    problems = Problems()
    rows = _count_rows(spec, facts, problems)
    resolved = _resolve(spec, facts, rows, problems)
    resolved, first = plan_first(resolved, lambda one: _plan(one, ceilings, facts), problems)
    task = TASKS[resolved.task.kind]
    num_classes = num_classes_of(task, facts)
    num_outputs = task.num_outputs(facts.row, num_classes, resolved.task.loss)
    # A model above a ceiling is not built: 300,000 widths fit into a body.
    too_deep = ceilings is not None and is_too_deep(resolved, ceilings)
    layers = [] if too_deep else expand(resolved, facts.row, num_outputs, problems)
    tensors = [tensor for tensor in tensors_of(layers, facts.row) if tensor.is_learned]
    labelled = {label: layer.kind for label, layer, _ in walk_all(layers, facts.row)}
    regularizers = plan_regularizers(resolved, tensors, labelled, facts.row, rows, num_classes, problems)
    batch_size = _batch_size(resolved, rows, problems)
    if rows and batch_size:
        hold_batches_to(layers, facts.row, rows.train, batch_size, problems)
    steps_per_epoch = math.ceil(rows.train / (batch_size * resolved.training.grad_accumulation)) if rows else 0
    if ceilings:
        num_parameters = sum(tensor.num_elements for tensor in tensors)
        num_layers = max(len(labelled), resolved.model.num_written if resolved.model.written_layers else 0)
        hold_to(ceilings, resolved, num_parameters, num_layers, steps_per_epoch, problems)
        hold_data_to(ceilings, resolved, facts, rows, problems)
    classes = (facts.classes or ()) if task.has_classes else ()
    run = _run_shape(resolved, layers, rows, steps_per_epoch, regularizers, classes) if rows else None
    problems.errors += leaving_range(resolved, run) if run else []
    problems.stop_if_any()
    assert rows is not None, "a failed split has been reported"
    assert run is not None, "its rows are known"
    num_rows = rows.train + rows.validation + rows.test
    placement: Placement = "memory" if facts.features is None else placement_of(facts.row, num_rows, resolved)
    return Plan(
        resolved_spec=resolved,
        warnings=[
            *lint(resolved, layers, run, regularizers_touch=[entry.parameters for entry in regularizers]),
            *first_warnings(first),
            *map(SpecWarning.of, facts.doubts),
            *([_larger_than_memory(facts, rows)] if placement == "disk" else []),
        ],
        layers=layers,
        layer_names=label_layers(layers),
        parameters=[
            ParameterInfo(name=tensor.name, shape=tensor.shape, num_elements=tensor.num_elements, role=tensor.role)
            for tensor in tensors
        ],
        num_parameters=sum(tensor.num_elements for tensor in tensors),
        num_rows=rows,
        input_shape=facts.feature_shape,
        tokens=facts.tokens,
        varies=facts.varies,
        num_outputs=num_outputs,
        classes=list(facts.classes) if facts.classes and task.has_classes else None,
        task=resolved.task.kind,
        loss=resolved.task.loss,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        num_steps=steps_per_epoch * resolved.training.epochs,
        num_epochs=resolved.training.epochs,
        regularizers=regularizers,
        runs_alone=why_alone(resolved),
        trained_first={planned.name: planned.plan for planned in first},
        rows_in=placement,
        plugins=sorted(
            {
                *plugins_among([resolved.model, resolved.optimizer, *resolved.regularizers, *layers, task]),
                *(plugin for planned in first for plugin in planned.plan.plugins),
            }
        ),
    )


def _resolve(spec: JobSpec, facts: DataFacts, rows: RowCounts | None, problems: Problems) -> JobSpec:
    """Fill in every default that depends on the data."""
    task = resolve_task(spec, facts, problems)
    standardize = spec.data.standardize
    if standardize is None:
        standardize = facts.modality in STANDARDIZED
    scales_target = spec.data.standardize_target
    if scales_target is None:
        scales_target = TASKS[task.kind].has_numbers
    settled: dict[str, Any] = {"standardize": standardize, "standardize_target": scales_target}
    if facts.features is not None:
        settled["features"] = facts.features
    return spec.model_copy(
        update={
            "task": task,
            "data": spec.data.model_copy(update=settled),
            "regularizers": [regularizer.fitted(facts.row) for regularizer in spec.regularizers],
            "training": _fitting_training(spec.training, rows),
        }
    )


def _count_rows(spec: JobSpec, facts: DataFacts, problems: Problems) -> RowCounts | None:
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


def _larger_than_memory(facts: DataFacts, rows: RowCounts) -> SpecWarning:
    num_rows = rows.train + rows.validation + rows.test
    return SpecWarning(
        pointer="/data",
        code="rows_on_disk",
        message=f"{num_rows:,} rows of {facts.row.num_values:,} numbers are more than may lie in memory: they are "
        "written to disk once, shuffled, and read in blocks. Copies of rows are not looked for, nor columns that give "
        "the target away.",
        remedy="Nothing is to be done. Fewer rows (train_limit) or columns would lie in memory.",
    )


def _fitting_training(training: Training, rows: RowCounts | None) -> Training:
    """With the default batch cut to a small train split; a batch that the user asked for stays as it is."""
    too_few = rows is not None and training.batch_size != "full" and rows.train < training.batch_size
    if rows is None or not too_few or "batch_size" in training.model_fields_set:
        return training
    return training.model_copy(update={"batch_size": rows.train})


def _batch_size(spec: JobSpec, rows: RowCounts | None, problems: Problems) -> int:
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


def _run_shape(
    spec: JobSpec,
    layers: Sequence[Layer],
    rows: RowCounts,
    steps_per_epoch: int,
    regularizers: Sequence[RegularizerPlan],
    classes: tuple[str, ...],
) -> RunShape:
    return RunShape(
        num_epochs=spec.training.epochs,
        steps_per_epoch=steps_per_epoch,
        num_evaluations=-(-spec.training.epochs // spec.training.eval_every_epochs),
        num_validation_rows=rows.validation,
        grad_accumulation=spec.training.grad_accumulation,
        is_random=any(layer.is_random for layer in layers),
        regularizers=tuple(
            Beside(planned.kind, tuple(planned.parameters), regularizer.shrinks_weights)
            for regularizer, planned in zip(spec.regularizers, regularizers, strict=True)
        ),
        classes=classes,
    )
