"""The task of a job, its loss and its class weights."""

from regcore.data.facts import DataFacts
from regcore.plan.problems import Problems
from regcore.spec.job import JobSpec, TaskSpec
from regcore.spec.kinds import TASKS
from regcore.tasks import Classification, Regression, Task


def resolve_task(spec: JobSpec, facts: DataFacts, problems: Problems) -> TaskSpec:
    """The task with every default filled in; where it contradicts the data, the rest is checked as if it fitted."""
    task = task_of(spec, facts)
    problem = _mismatch(task, facts) or task.row_problem(facts.row) or _other_task(spec, task)
    if problem is not None:
        problems.add("/task/kind", "task_mismatch", problem.format(name=facts.name))
        task = _default(facts)
    num_classes = num_classes_of(task, facts)
    # Standardized numbers have no bounds, and a table's have none even if they are not.
    is_unit = facts.modality == "image" and not spec.data.standardize
    loss = _loss(spec.task.loss, task, num_classes, facts.name, problems, is_unit=is_unit)
    _check_class_weights(spec.task, task, num_classes, problems)
    if spec.data.standardize_target and not task.has_numbers:
        problems.add(
            "/data/standardize_target",
            "task_mismatch",
            f"data.standardize_target needs a regression, and {facts.name} is a {task.kind}; remove it.",
        )
    return spec.task.model_copy(update={"kind": task.kind, "loss": loss})


def task_of(spec: JobSpec, facts: DataFacts) -> type[Task]:
    """The task that the spec asks for; by default what the data are for."""
    return TASKS.get(spec.task.kind) or _default(facts)


def num_classes_of(task: type[Task], facts: DataFacts) -> int:
    """The classes that it tells apart; 0 if it has none."""
    return len(facts.classes or ()) if task.has_classes else 0


def _default(facts: DataFacts) -> type[Task]:
    return Classification if facts.classes is not None else Regression


def _mismatch(task: type[Task], facts: DataFacts) -> str | None:
    """Why the target does not fit the task; None if it does, or there is none to predict."""
    if task.gives_rows or task.has_classes == (facts.classes is not None):
        return None
    return f"task.kind must be {_default(facts).kind} for {{name}}; received {task.kind}."


def _other_task(spec: JobSpec, task: type[Task]) -> str | None:
    """Why the model is not for the task."""
    only = spec.model.task
    if only is None or task.kind == only:
        return None
    return f"task.kind must be {only} for the model {spec.model.kind}; received {task.kind}. Leave it out."


def _loss(asked: str, task: type[Task], num_classes: int, name: str, problems: Problems, *, is_unit: bool) -> str:
    default = task.losses[0]
    if asked == "auto":
        return default
    if asked not in task.losses:
        *others, last = task.losses
        fitting = f"{', '.join(others)} or {last}" if others else last
        problems.add("/task/loss", "loss_mismatch", f"task.loss must be {fitting} for {task.kind}; received {asked}.")
        return default
    problem = task.loss_problem(asked, num_classes, is_unit=is_unit)
    if problem is not None:
        problems.add("/task/loss", "loss_mismatch", problem.format(name=name))
        return default
    return asked


def _check_class_weights(asked: TaskSpec, task: type[Task], num_classes: int, problems: Problems) -> None:
    weights = asked.class_weights
    if weights is None:
        return
    if not task.has_classes:
        problems.add("/task/class_weights", "task_mismatch", "task.class_weights needs a classification; remove it.")
    elif isinstance(weights, list) and len(weights) != num_classes:
        problems.add(
            "/task/class_weights",
            "wrong_length",
            f"task.class_weights must have one weight for each of {num_classes} classes; received {len(weights)}.",
        )
