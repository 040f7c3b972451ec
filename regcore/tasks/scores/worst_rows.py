"""The rows of each split that a network fails the most: outliers, wrong labels, and what it has not learned."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from regcore.tasks.scores.split import SplitEvaluation

NUM_ROWS: Final = 20
"""The most rows of a split that are told."""


def worst_rows(
    evaluations: Mapping[str, SplitEvaluation],
    metric: str,
    numbers: Mapping[str, NDArray[np.int64] | None],
    classes: Sequence[str] | None,
    files: pa.ChunkedArray | None = None,
) -> dict[str, Any]:
    """`{metric, splits: {split: {numbered_in, rows: [{row, value, target, prediction}]}}}`, the largest value first.

    Rows are numbered from 1: in the data that they come from, or, if that is not known, in their split. Of equal rows
    the first come first; one without a value is not told.

    Args:
        evaluations: By split.
        metric: The name of one that is a mean over rows, better where it is smaller.
        numbers: By split, the number of each row in the data, from 1, (N,); None if it is not known.
        classes: Labels in the order of the class numbers; None without classes.
        files: The path of the file that each row of the data is, which is told as its `file`; None for other data.
    """
    return {
        "metric": metric,
        "splits": {
            name: {
                "numbered_in": "split" if numbers[name] is None else "data",
                "rows": _worst(split, metric, numbers[name], classes, files),
            }
            for name, split in evaluations.items()
        },
    }


def _worst(
    split: SplitEvaluation,
    metric: str,
    numbers: NDArray[np.int64] | None,
    classes: Sequence[str] | None,
    files: pa.ChunkedArray | None,
) -> list[dict[str, Any]]:
    values = np.asarray(split.rows()[metric], np.float64)
    # An error beyond all numbers is among the largest; NaN, which sorts behind all, is none.
    places = np.argsort(-values, kind="stable")[:NUM_ROWS]
    return [
        {
            "row": place + 1 if numbers is None else int(numbers[place]),
            **({} if numbers is None or files is None else {"file": files[int(numbers[place]) - 1].as_py()}),
            "value": float(values[place]),
            **split.answer(place, classes),
        }
        for place in places.tolist()
        if not np.isnan(values[place])
    ]
