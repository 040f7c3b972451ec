"""The models that a job trains before it begins, such as a teacher: each has a plan of its own, on the same data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from regcore.errors import FieldError, SpecError
from regcore.plan.lint import SpecWarning
from regcore.plan.plan import Plan
from regcore.plan.problems import Problems
from regcore.spec.inputs import names_of
from regcore.spec.job import JobSpec

_PARTS: Final = ("model", "optimizer", "regularizers", "training")
"""What such a model has of its own."""


@dataclass(frozen=True, eq=False)
class PlannedFirst:
    """One of them.

    Attributes:
        name: The regularizer's name in the plan and its field: `knowledge_distillation.teacher`.
        pointer: JSON Pointer (RFC 6901) of the field.
        plan: Its plan.
    """

    name: str
    pointer: str
    plan: Plan


def plan_first(
    spec: JobSpec, plan_of: Callable[[JobSpec], Plan], problems: Problems
) -> tuple[JobSpec, list[PlannedFirst]]:
    """Plan what a resolved spec trains first.

    Args:
        spec: Resolved but for these models.
        plan_of: Plans a spec on the same data. Raises SpecError.
        problems: Takes what is wrong with one of them.

    Returns:
        The spec with these models resolved, and their plans; of one that is wrong there is none.
    """
    found: list[PlannedFirst] = []
    regularizers = list(spec.regularizers)
    names = names_of([regularizer.kind for regularizer in regularizers])
    for position, regularizer in enumerate(spec.regularizers):
        for field, parts in regularizer.trained_first().items():
            pointer = f"/regularizers/{position}/{field}"
            try:
                plan = plan_of(_spec_of(spec, parts))
            except SpecError as error:
                problems.errors += [
                    FieldError(f"{pointer}{one.pointer}", one.code, one.message)
                    for one in error.errors
                    if _is_own(one.pointer)
                ]
                continue
            if plan.resolved_spec.data != spec.data:
                message = f"{field}.data must be the job's own, on whose rows it is trained. Leave it out."
                problems.add(f"{pointer}/data", "other_data", message)
            found.append(PlannedFirst(f"{names[position]}.{field}", pointer, plan))
            resolved = {part: getattr(plan.resolved_spec, part) for part in _PARTS}
            regularizers[position] = regularizers[position].model_copy(update={field: resolved})
    return (spec.model_copy(update={"regularizers": regularizers}) if found else spec), found


def _spec_of(spec: JobSpec, parts: Mapping[str, Any]) -> JobSpec:
    own = {name: part for name, part in parts.items() if name != "data"}
    return JobSpec(data=parts.get("data") or spec.data, task=spec.task, resources=spec.resources, **own)


def first_warnings(found: Sequence[PlannedFirst]) -> Iterator[SpecWarning]:
    """What is doubtful in these models; what is doubtful in the data is the job's own."""
    for planned in found:
        for warning in planned.plan.warnings:
            if _is_own(warning.pointer):
                patch = [{**step, "path": f"{planned.pointer}{step['path']}"} for step in warning.patch]
                pointer = f"{planned.pointer}{warning.pointer}"
                yield warning.model_copy(update={"pointer": pointer, "patch": patch})


def _is_own(pointer: str) -> bool:
    return pointer.split("/")[1] in _PARTS
