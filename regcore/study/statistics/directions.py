"""The direction in which a metric is better."""

from typing import Final

from regcore.errors import FieldError, SpecError
from regcore.metrics import Mode
from regcore.spec.kinds import METRICS

_MODES: Final[dict[str, Mode]] = {
    **{name: metric.mode for name, metric in METRICS.items()},
    "generalization_gap": "min",
}


def mode_of(metric: str) -> Mode:
    """`min` if lower is better, `max` if higher is.

    Args:
        metric: `generalization_gap`, or `{split}/{name}` such as `test/accuracy`.

    Raises:
        SpecError: The metric has no better direction, such as `sparsity`.
    """
    mode = _MODES.get(metric.rpartition("/")[2])
    if mode is None:
        known = ", ".join(name if name == "generalization_gap" else f"*/{name}" for name in _MODES)
        message = (
            f"expected a metric that has a better end, one of {known}; received {metric!r}. "
            "Or say with `mode` whether lower ('min') or higher ('max') is better."
        )
        raise SpecError([FieldError(pointer="/metric", code="no_direction", message=message)])
    return mode
