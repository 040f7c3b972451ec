"""A server's limits on jobs."""

import math
from dataclasses import dataclass

from regcore.data.facts import DataFacts
from regcore.data.placement import row_bytes
from regcore.plan.plan import RowCounts
from regcore.plan.problems import Problems
from regcore.spec.job import JobSpec


@dataclass(frozen=True)
class Ceilings:
    """The largest job that is accepted. A server sets these; the engine alone has none.

    Attributes:
        epochs: Passes over the train split.
        parameters: Learned numbers.
        steps: Optimizer steps.
        hidden_layers: Of a short form, as its field says: widths in `hidden`, stages in `channels`, blocks in `depth`.
        layers: Layers, surgery included.
        data_bytes: Of all rows as the network gets them, in memory or on disk: a category takes many places.
    """

    epochs: int = 100_000
    parameters: int = 2 * 10**8
    steps: int = 10**8
    hidden_layers: int = 64
    layers: int = 512
    data_bytes: int = 256 * 2**30


def is_too_deep(spec: JobSpec, ceilings: Ceilings) -> bool:
    """Whether the model exceeds a ceiling as it is written, before its short form is expanded."""
    most = ceilings.layers if spec.model.written_layers else ceilings.hidden_layers
    return spec.model.num_written > most


def hold_to(
    ceilings: Ceilings, spec: JobSpec, num_parameters: int, num_layers: int, steps_per_epoch: int, problems: Problems
) -> None:
    epochs = spec.training.epochs
    for pointer, what, value, ceiling in (
        ("/training/epochs", "training.epochs", epochs, ceilings.epochs),
        ("/training/epochs", "optimizer steps", steps_per_epoch * epochs, ceilings.steps),
        ("/model", "parameters", num_parameters, ceilings.parameters),
        (f"/model/{spec.model.deep_field}", "hidden layers", _num_hidden(spec), ceilings.hidden_layers),
        ("/model", "layers", num_layers, ceilings.layers),
    ):
        if value > ceiling and all(error.pointer != pointer for error in problems.errors):
            problems.add(
                pointer,
                "over_ceiling",
                f"{what} may be at most {ceiling:,} on this server; received {value:,}. Lower it.",
            )


def _num_hidden(spec: JobSpec) -> int:
    """Of a short form; 0 of others."""
    return 0 if spec.model.deep_field is None else spec.model.num_written


def hold_data_to(
    ceilings: Ceilings, spec: JobSpec, facts: DataFacts, rows: RowCounts | None, problems: Problems
) -> None:
    if rows is None:
        return
    num_rows, width = rows.train + rows.validation + rows.test, math.prod(facts.feature_shape)
    needed_bytes = num_rows * row_bytes(facts.row, spec.training.precision)
    if needed_bytes > ceilings.data_bytes:
        problems.add(
            "/data",
            "over_ceiling",
            f"{num_rows:,} rows of {width:,} numbers need {needed_bytes:,} bytes, and at most "
            f"{ceilings.data_bytes:,} are allowed on this server. Lower it: exclude columns, or set "
            "features.max_categories or train_limit.",
        )
