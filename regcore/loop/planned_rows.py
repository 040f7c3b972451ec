"""Whether loaded rows are those that a plan was made for, and the task that they and the plan define."""

import torch

from regcore.data.prepared import PreparedData, dtype_of
from regcore.data.rows import chunks
from regcore.errors import InvalidDataError
from regcore.loop.machine import choose_device
from regcore.loop.network import EVAL_CHUNK_ROWS
from regcore.plan import Plan
from regcore.shapes import RowInfo
from regcore.spec.kinds import TASKS
from regcore.tasks import Task
from regcore.tasks.classification import balanced_class_weights


def check_rows(plan: Plan, data: PreparedData) -> None:
    """Check that the loaded data match the plan."""
    planned = plan.num_rows.model_dump()
    for name, rows in {"train": data.train, "validation": data.validation, "test": data.test}.items():
        num_rows = 0 if rows is None else len(rows)
        info = plan.row if rows is None else rows.info
        if (num_rows, info.shape) != (planned[name], plan.input_shape):
            raise InvalidDataError(
                f"expected {planned[name]} {name} rows of shape {plan.input_shape}; the files hold {num_rows} of shape "
                f"{info.shape}",
                remedy="Restore the data set's original files.",
            )
        if info != plan.row:
            raise InvalidDataError(
                f"expected {_described(plan.row)}; the source gives {_described(info)}",
                remedy="Plan with the facts of the same source.",
            )


def _described(row: RowInfo) -> str:
    lengths = "varying length" if row.varies else "one length"
    return f"{'numbers' if row.tokens is None else f'{row.tokens} tokens'} in rows of {lengths}"


def task_of(plan: Plan, data: PreparedData) -> Task:
    """The run's task; rows are weighted by their classes if the plan says so."""
    return TASKS[plan.task](plan.loss, len(plan.classes or ()), _class_weights(plan, data), data.target_scaling)


def _class_weights(plan: Plan, data: PreparedData) -> torch.Tensor | None:
    wanted = plan.resolved_spec.task.class_weights
    if wanted is None:
        return None
    device, dtype = choose_device(plan.resolved_spec.resources.device), dtype_of(plan.resolved_spec)
    if wanted == "balanced":
        rows = chunks(data.train, EVAL_CHUNK_ROWS, device)
        return balanced_class_weights(rows, len(plan.classes or ())).to(device=device, dtype=dtype)
    return torch.tensor(wanted, dtype=dtype, device=device)
