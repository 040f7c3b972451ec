"""The metrics beside the loss: their names, which way each one is better, and what it needs.

Every list of metrics derives from this table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Mode = Literal["min", "max"]

CLASSIFICATION: Final = "classification"
REGRESSION: Final = "regression"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a split.

    Attributes:
        mode: Which way it is better.
        tasks: What it is a metric of.
        meaning: In a few words.
        is_share: Whether it lies between 0 and 1.
        in_every_record: Whether each evaluation of a training records it. The others need sorting, or a pass over all
            classes, so that an evaluation of 32 members would take longer than an epoch: they are computed at the end,
            and during training where early stopping or a rung asks for them.
        min_rows: The fewest rows for a value.
        min_classes: The fewest classes with which it says anything.
    """

    mode: Mode
    tasks: tuple[str, ...]
    meaning: str
    is_share: bool = False
    in_every_record: bool = False
    min_rows: int = 1
    min_classes: int = 2


METRICS: Final[Mapping[str, Metric]] = {
    "loss": Metric("min", (CLASSIFICATION, REGRESSION), "the mean of what is trained on", in_every_record=True),
    "accuracy": Metric(
        "max", (CLASSIFICATION,), "share of rows with the right class", is_share=True, in_every_record=True
    ),
    "balanced_accuracy": Metric(
        "max",
        (CLASSIFICATION,),
        "mean over classes of the share of its rows that are recognised",
        is_share=True,
        in_every_record=True,
    ),
    "top5_accuracy": Metric(
        "max",
        (CLASSIFICATION,),
        "share of rows whose class is among the five most likely",
        is_share=True,
        min_classes=6,
    ),
    "macro_f1": Metric("max", (CLASSIFICATION,), "mean over classes of F1", is_share=True),
    "auroc": Metric(
        "max",
        (CLASSIFICATION,),
        "chance that a row of a class gets a higher probability of it than another row; mean over classes",
        is_share=True,
        min_rows=2,
    ),
    "average_precision": Metric(
        "max",
        (CLASSIFICATION,),
        "precision, averaged over the rows of the second of two classes, or of each of more",
        is_share=True,
    ),
    "log_loss": Metric("min", (CLASSIFICATION,), "mean of −log of the true class's probability, without weights"),
    "r2": Metric(
        "max", (REGRESSION,), "share of the target's variance that is explained", in_every_record=True, min_rows=2
    ),
    "mae": Metric("min", (REGRESSION,), "mean absolute error, in the target's unit", in_every_record=True),
    "rmse": Metric("min", (REGRESSION,), "root of the mean squared error, in the target's unit", in_every_record=True),
}
"""By name; a split's is `{split}/{name}`, such as `test/accuracy`."""


def metrics_of(task: str, num_classes: int | None = None) -> tuple[str, ...]:
    """The metrics that a job of this task has.

    Args:
        task: `classification` or `regression`.
        num_classes: None or 0 if it does not matter.
    """
    return tuple(
        name
        for name, metric in METRICS.items()
        if task in metric.tasks and (not num_classes or num_classes >= metric.min_classes)
    )
