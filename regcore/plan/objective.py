"""The task of a job, its loss and its class weights."""

from regcore.data.facts import DataFacts
from regcore.plan.problems import Problems
from regcore.spec.job import JobSpec, TaskSpec
from regcore.spec.kinds import TASKS
from regcore.tasks import Task


def resolve_task(spec: JobSpec, facts: DataFacts, problems: Problems) -> TaskSpec:
    """The task with every default filled in; where it contradicts the data, the rest is checked as if it fitted."""
    kind = facts.task if spec.task.kind == "auto" else spec.task.kind
    if kind != facts.task:
        message = f"task.kind must be {facts.task} for {facts.name}; received {kind}."
        problems.add("/task/kind", "task_mismatch", message)
        kind = facts.task
    task, num_classes = TASKS[kind], len(facts.classes or ())
    loss = _loss(spec.task.loss, task, num_classes, facts.name, problems)
    _check_class_weights(spec.task, task, num_classes, problems)
    if spec.data.standardize_target and not task.has_numbers:
        problems.add(
            "/data/standardize_target",
            "task_mismatch",
            f"data.standardize_target needs a regression, and {facts.name} is a {kind}; remove it.",
        )
    return spec.task.model_copy(update={"kind": kind, "loss": loss})


def _loss(asked: str, task: type[Task], num_classes: int, name: str, problems: Problems) -> str:
    default = task.losses[0]
    if asked == "auto":
        return default
    if asked not in task.losses:
        *others, last = task.losses
        fitting = f"{', '.join(others)} or {last}" if others else last
        problems.add("/task/loss", "loss_mismatch", f"task.loss must be {fitting} for {task.kind}; received {asked}.")
        return default
    problem = task.loss_problem(asked, num_classes)
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
