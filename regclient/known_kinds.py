"""The tasks and metrics that this machine knows: regcore's own, and those of its plug-ins.

They are imported where somebody asks: most commands need none, start in half the time without them, and work beside a
plug-in that is broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regcore.metrics import Metric
    from regcore.tasks import Task


def task_named(kind: str) -> type[Task]:
    """Return the task of this kind; for a newer server's, what is true of every task."""
    from regcore.spec.kinds import TASKS
    from regcore.tasks import Task

    return TASKS.get(kind, Task)


def metric_named(name: str) -> Metric | None:
    """Return the metric of this name, without its split; None for a newer server's."""
    from regcore.spec.kinds import METRICS

    return METRICS.get(name)


def headline_metrics(*, of_each: int | None = None) -> tuple[str, ...]:
    """Return the names of what people look at first, task by task.

    Args:
        of_each: How many of each task; None for all.
    """
    from regcore.spec.kinds import TASKS

    return tuple(name for task in TASKS.values() for name in task.headlines[:of_each])
