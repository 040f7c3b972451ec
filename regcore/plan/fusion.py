"""Which jobs may train in one pass, and how much memory each member of it takes.

Members of a group share their data, batches, layers and kinds of regularizers. They may differ in the fields that each
layer, optimizer and regularizer names as its `member_fields`, and in their seed.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from regcore.frozen import Fusible
from regcore.spec.job import JobSpec

_FREE: Final[dict[str, Any]] = {
    **dict.fromkeys(["spec_version", "name", "labels", "priority", "fusion", "init_from", "exports"], True),
    "training": {"seed", "checkpoint_every_s"},
    "resources": {"max_runtime_s", "max_memory_bytes"},
}
_COPIES_OF_WEIGHTS: Final = 6
"""Weight, gradient, two moments, the selected weights, and temporary values of a step."""
_COPIES_OF_ACTIVATIONS: Final = 3
_COPIES_OF_OUTPUTS: Final = 3


def fusion_key(spec: JobSpec) -> str | None:
    """A key that is equal for resolved specs that can train in one pass; None if the job trains alone.

    A digest: 64 hexadecimal digits.
    """
    if why_alone(spec) is not None:
        return None
    shared = spec.model_dump(mode="json", exclude=_FREE)
    shared["model"] = spec.model.structure()
    shared["optimizer"] = spec.optimizer.structure()
    shared["regularizers"] = [regularizer.structure() for regularizer in spec.regularizers]
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()


def why_alone(spec: JobSpec) -> str | None:
    """Why jobs like this one run one by one; None if several may share a training pass."""
    varying: list[Fusible] = [spec.model, spec.optimizer, *spec.regularizers]
    alone = [str(getattr(part, "kind", "")) for part in varying if not part.is_fusible]
    if alone:
        return f"It runs one by one, in no pass with other jobs: {', '.join(dict.fromkeys(alone))} trains alone."
    return "It runs one by one: fusion is off." if spec.fusion == "off" else None


def member_bytes(
    *,
    num_parameters: int,
    widths: Sequence[int],
    batch_size: int,
    num_rows: int,
    num_kept: int,
    itemsize: int,
    num_extra: int = 0,
    asked_bytes: int = 0,
) -> int:
    """Estimate the memory that one more member takes.

    Args:
        num_parameters: Of one member, buffers too.
        widths: Values in one row, at each layer's output.
        batch_size: Rows of a batch.
        num_rows: Rows of all splits, of which the last evaluation keeps numbers in double precision.
        num_kept: Numbers that are kept of each row.
        itemsize: Bytes of one weight.
        num_extra: Numbers that regularizers hold.
        asked_bytes: Of the models that regularizers ask, `asked_bytes`. Members share their weights, which are counted
            with each all the same: the estimate is to be enough for one alone.
    """
    weights = (_COPIES_OF_WEIGHTS * num_parameters + num_extra) * itemsize
    activations = _COPIES_OF_ACTIVATIONS * batch_size * sum(widths) * itemsize
    return weights + activations + _COPIES_OF_OUTPUTS * num_rows * num_kept * 8 + asked_bytes


def asked_bytes(*, num_parameters: int, widths: Sequence[int], batch_size: int, itemsize: int) -> int:
    """Estimate the memory of a model that is asked about a batch and does not learn, as a teacher is.

    Args:
        num_parameters: Buffers too.
        widths: Values in one row, at each layer's output. The outputs of few layers are there at once.
        batch_size: Rows of a batch of the run that asks.
        itemsize: Bytes of one weight.
    """
    return (num_parameters + _COPIES_OF_ACTIVATIONS * batch_size * max(widths)) * itemsize
