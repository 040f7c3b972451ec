"""The subject of a metric: only jobs with the same subject can be ranked or compared by it."""

from collections.abc import Mapping
from typing import Any


def subject_of(resolved_spec: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """What a metric measures, and in which unit, by JSON Pointer into the spec.

    That is the data set, its target, and the kind of task; for a loss, and for the gap, also the kind of loss and the
    class weights.
    Scaling targets does not change the unit, except for `huber`, whose δ is 1 in the scaled unit.

    Args:
        resolved_spec: A job's resolved spec, as JSON; `data` and `task` are enough.
        metric: Such as `validation/loss`, `test/accuracy` or `generalization_gap`.
    """
    data, task = resolved_spec["data"], resolved_spec["task"]
    is_loss = metric.endswith("/loss") or metric == "generalization_gap"
    scaling = ("standardize_target",) if is_loss and task["loss"] == "huber" else ()
    return {
        **{f"/data/{name}": data[name] for name in ("kind", "name", "id", "path", "target", *scaling) if name in data},
        **{f"/task/{name}": task[name] for name in ("kind", *(("loss", "class_weights") if is_loss else ()))},
    }
