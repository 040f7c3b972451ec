"""What always saying the same would give: the largest class with the shares of all, the mean, or the mean row."""

import math
from collections.abc import Iterator
from typing import Any

from torch import Tensor

from regcore.data.prepared import PreparedData
from regcore.data.rows import Batch, Rows, chunks
from regcore.loop.evaluate import chunk_rows, collect, member_evaluation
from regcore.loop.network import StackedNetwork
from regcore.record import finite_or_null
from regcore.tasks import Task


def baseline_of(network: StackedNetwork, data: PreparedData, task: Task) -> dict[str, Any] | None:
    """The report's `baseline`, from the train split.

    Args:
        network: Says how many rows to read at once, and where they are.
        data: The splits.
        task: Says what is plain.

    Returns:
        `{kind, …, metrics}`, with every metric by split; `kind` is `majority_class` with its `label`, `mean` with its
        `value`, or `mean_row`. None if the task has none.
    """
    size = chunk_rows(network)

    def read(rows: Rows) -> Iterator[Batch]:
        return chunks(rows, size, network.device)

    num_outputs = network.nodes[-1].gives.num_values
    found = task.constant(map(task.targets, read(data.train)), num_outputs, data.classes)
    if found is None:
        return None
    said, constant = found
    splits = {"train": data.train, "validation": data.validation, "test": data.test}
    constant = constant.to(device=network.device, dtype=network.dtype)
    metrics = {
        name: _measured(read(rows), len(rows), constant, task) for name, rows in splits.items() if rows is not None
    }
    return {**said, "metrics": metrics}


def _measured(batches: Iterator[Batch], num_rows: int, constant: Tensor, task: Task) -> dict[str, float | None]:
    def same(batch: Batch) -> Tensor:
        return constant.expand(1, batch.x.shape[1], -1)

    values = member_evaluation(collect(batches, num_rows, task, same, is_final=True), task, 0).values()
    if "log_loss" in values and math.isinf(values["loss"]):  # a class that the train split lacks
        values["log_loss"] = math.inf
    return finite_or_null(values)
