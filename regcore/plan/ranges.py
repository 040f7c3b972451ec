"""Check that no schedule moves a rate or a strength out of its field's range, which is known before a run."""

import math
from collections.abc import Iterator

from regcore.doubts import RunShape
from regcore.errors import FieldError
from regcore.optim import Optimizer
from regcore.parts import Part, parts_of
from regcore.regularizers import Regularizer
from regcore.spec.job import JobSpec


def leaving_range(spec: JobSpec, run: RunShape) -> Iterator[FieldError]:
    """The fields of schedules whose product exceeds the largest value of the multiplied field."""
    for part in parts_of(spec):
        yield from _leaving(part, run)


def _leaving(part: Part, run: RunShape) -> Iterator[FieldError]:
    schedule = part.schedule
    cause = schedule.growth_field
    if cause is None:
        return
    peak = schedule.peak(run)
    for name in part.spec.scheduled:
        value, most = getattr(part.spec, name), _upper_bound(part.spec, name)
        if value * peak <= most:
            continue
        reached = f"{value * peak:g}" if math.isfinite(value * peak) else "infinity"
        yield FieldError(
            f"{part.pointer}/schedule/{cause}",
            "out_of_range",
            f"{name} must be at most {most:g} at every step; received {name} {value:g} with schedule.{cause} "
            f"{getattr(schedule, cause):g}, which reaches {reached} within {run.num_epochs} epochs. Lower {cause}.",
        )


def _upper_bound(part: Optimizer | Regularizer, name: str) -> float:
    """The largest value that a field declares."""
    (bound,) = (one.le for one in type(part).model_fields[name].metadata if hasattr(one, "le"))
    return float(bound)
