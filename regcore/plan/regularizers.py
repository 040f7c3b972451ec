"""What each regularizer of a job acts on."""

from collections.abc import Mapping, Sequence
from functools import partial

from regcore.plan.plan import RegularizerPlan, RowCounts
from regcore.plan.problems import Problems
from regcore.regularizers import Regularizer, Surroundings
from regcore.shapes import RowInfo, TensorInfo
from regcore.spec.inputs import names_of
from regcore.spec.job import JobSpec
from regcore.spec.kinds import TASKS


def plan_regularizers(
    spec: JobSpec,
    tensors: Sequence[TensorInfo],
    layers: Mapping[str, str],
    row: RowInfo,
    rows: RowCounts | None,
    num_classes: int,
    problems: Problems,
) -> list[RegularizerPlan]:
    """The plan of each regularizer.

    Args:
        spec: Resolved.
        tensors: The model's learned ones; none if the model is wrong.
        layers: The kind of every layer by its label; none if the model is wrong.
        row: What is learned from.
        rows: In each split; None if there are none to train on.
        num_classes: Of a classification; else 0.
        problems: Takes what is wrong.
    """
    names = names_of([regularizer.kind for regularizer in spec.regularizers])
    plans: list[RegularizerPlan] = []
    job = None if rows is None else Surroundings(TASKS[spec.task.kind], rows.validation, num_classes, layers, row)
    frozen = {
        position: _touched(regularizer, tensors, f"/regularizers/{position}", problems) if tensors else []
        for position, regularizer in enumerate(spec.regularizers)
        if regularizer.freezes
    }
    still = {name for names in frozen.values() for name in names}
    trained = [tensor for tensor in tensors if tensor.name not in still]
    if tensors and not trained:
        message = "every tensor of the model is frozen, and nothing is left to train. Exclude some by select."
        problems.add(f"/regularizers/{max(frozen)}/select", "nothing_to_train", message)
    for position, regularizer in enumerate(spec.regularizers):
        pointer = f"/regularizers/{position}"
        if regularizer.freezes:
            touched = frozen[position]
        else:
            touched = _touched(regularizer, trained, pointer, problems) if trained else []
        problem = None if job is None else regularizer.needs(job)
        if problem is not None:
            problems.add(pointer, "cannot_apply", problem)
        if regularizer.only_once and names[position] != regularizer.kind:
            problems.add(pointer, "doubled", f"{regularizer.kind} may be given once; remove the second.")
        plans.append(
            RegularizerPlan(
                name=names[position], kind=regularizer.kind, parameters=touched, note=regularizer.explain(touched)
            )
        )
    return plans


def _touched(regularizer: Regularizer, tensors: Sequence[TensorInfo], pointer: str, problems: Problems) -> list[str]:
    """Names of the tensors that it acts on. Without a model there are no tensors, and every selector would fail."""
    nothing: list[str] = []
    look = partial(regularizer.touched, tensors)
    return problems.attempt(f"{pointer}/select", "matches_nothing", look, nothing)
