"""What is known of a metric beside its value. Each task says which metrics it has."""

import math
from dataclasses import dataclass
from typing import Final, Literal

Mode = Literal["min", "max"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number of a split.

    Attributes:
        mode: Which way it is better.
        meaning: In a few words.
        title: What tables for people call it; its name if empty.
        is_share: Whether it lies between 0 and 1.
        least: The smallest value that it can have.
        most: The largest.
        is_row_mean: Whether it is the mean of a number that each row has by itself, so that some of the rows have it
            too.
        in_every_record: Whether each evaluation of a training records it. The others need sorting, or a pass over all
            classes, so that an evaluation of 32 members would take longer than an epoch: they are computed at the end,
            and during training where early stopping or a rung asks for them.
        min_rows: The fewest rows for a value.
        min_classes: The fewest classes with which it says anything.
        suspicious_from: A value that honest features hardly ever reach; None if each may be honest.
    """

    mode: Mode
    meaning: str
    title: str = ""
    is_share: bool = False
    least: float = 0.0
    most: float = math.inf
    is_row_mean: bool = False
    in_every_record: bool = False
    min_rows: int = 1
    min_classes: int = 2
    suspicious_from: float | None = None


LOSS: Final = Metric("min", "the mean of what is trained on", "loss", is_row_mean=True, in_every_record=True)
"""The metric that every task has."""
