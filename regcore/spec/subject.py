"""What a metric is of: only jobs that agree in that can be ranked, or set side by side, by it."""

from collections.abc import Mapping
from typing import Any


def subject_of(resolved_spec: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """What a metric measures, and in which unit, by JSON Pointer into the spec.

    That is the data set and the kind of task; of a loss, and of the gap between two, also its kind and class weights.
    Whether targets are scaled changes no unit, but for `huber`, whose δ is 1 in the scaled one.

    Args:
        resolved_spec: A job's, as JSON; its `data` and `task` are enough.
        metric: Such as `validation/loss`, `test/accuracy` or `generalization_gap`.
    """
    data, task = resolved_spec["data"], resolved_spec["task"]
    is_loss = metric.endswith("/loss") or metric == "generalization_gap"
    scaling = ("standardize_target",) if is_loss and task["loss"] == "huber" else ()
    return {
        **{f"/data/{name}": data[name] for name in ("kind", "name", "id", *scaling) if name in data},
        **{f"/task/{name}": task[name] for name in ("kind", *(("loss", "class_weights") if is_loss else ()))},
    }
