"""From the columns of a set to the tensors of a run: fit on the train rows, then encode every split."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import psutil
import pyarrow as pa
import torch
from numpy.typing import NDArray

from regcore.data.encoded import Columns
from regcore.data.inputs import Inputs, standardizes
from regcore.data.prepared import PreparedData, RunSpec, Split, Targets, dtype_of
from regcore.data.split import Splits
from regcore.doubts import Doubt
from regcore.errors import InvalidDataError, OutOfMemoryError


def prepare_columns(
    inputs: Inputs,
    columns: Columns,
    y: NDArray[Any],
    splits: Splits,
    spec: RunSpec,
    classes: tuple[str, ...] | None,
    *,
    given: Sequence[str],
    target: str | None = None,
    numbers: NDArray[np.int64] | None = None,
    shown_numbers: NDArray[np.int64] | None = None,
    device: torch.device | str = "cpu",
) -> PreparedData:
    """The splits of a set of rows.

    Args:
        inputs: What the network gets of it.
        columns: What `inputs.read` gives of its columns.
        y: Class numbers as int64, or numbers in the target's own unit, (N,).
        splits: Places in `y`.
        spec: Resolved or not.
        classes: None unless they are predicted.
        given: All columns of the rows, the target left out.
        target: The target's column; None if it has no name.
        numbers: For each place in `y` its row in the columns; None if they are the same.
        shown_numbers: What `Split.rows` gives for each row of the columns; None if it is the row's own place.
        device: Where the tensors go.

    Raises:
        OutOfMemoryError: The rows of the network would not fit into the free memory.
    """
    targets = Targets(y, splits, spec, classes)
    dtype = dtype_of(spec)
    assert splits.test is not None, "a table has no official test split"
    num_rows = len(splits.train) + len(splits.validation) + len(splits.test)
    _check_room(num_rows, inputs, dtype.itemsize)

    def taken(places: NDArray[np.int64]) -> Columns:
        rows = pa.array(places if numbers is None else numbers[places])
        return {name: columns[name].take(rows) for name in inputs.names}

    standardize = standardizes(inputs, spec.data)
    preprocessing = inputs.fit(taken(splits.train), standardize=standardize, given=given, target=target)

    doubts: list[Doubt] = []

    def to_split(places: NDArray[np.int64], name: str) -> Split | None:
        if not len(places):
            return None
        encoded = preprocessing.encode(taken(places), np.float64 if dtype == torch.float64 else np.float32)
        if encoded.num_readable == 0:
            raise _unreadable(name, len(places))
        doubts.extend(replace(one, message=f"In the {name} split, {one.message}") for one in encoded.doubts)
        rows = places if numbers is None else numbers[places]
        shown = rows if shown_numbers is None else shown_numbers[rows]
        lengths = None if encoded.lengths is None else torch.from_numpy(encoded.lengths).to(device)
        x = torch.from_numpy(encoded.x).to(device)
        return Split(x, targets.of(y[places]).to(device), shown, lengths, inputs.row.tokens)

    train = to_split(splits.train, "train")
    assert train is not None, "the plan refuses an empty train split"
    validation, test = to_split(splits.validation, "validation"), to_split(splits.test, "test")
    return PreparedData(train, validation, test, preprocessing, classes, targets.scaling, doubts=tuple(doubts))


def _unreadable(name: str, num_rows: int) -> InvalidDataError:
    if name == "train":
        return InvalidDataError(
            f"none of the {num_rows:,} train texts has a word, so there is nothing to learn from",
            remedy="Name another column (data.features.column), or correct the texts.",
        )
    return InvalidDataError(
        f"none of the {num_rows:,} {name} texts has a word that the train texts have, so nothing tells them apart",
        remedy="Split otherwise (data.split_seed, data.split_column), train on more texts, or on pieces of words "
        "(data.features.tokenizer bpe).",
        details={"split": name},
    )


_NARROWER: Final = {
    "table": "Lower features.max_categories, exclude columns with many categories, or use fewer rows.",
    "image": "Lower features.size, or use fewer images (train_limit).",
    "text": "Lower features.max_tokens, or use fewer texts (train_limit).",
    "audio": "Lower features.max_duration_s, or use fewer sounds (train_limit).",
}


def _check_room(num_rows: int, inputs: Inputs, itemsize: int) -> None:
    """Count the rows of the network before they are made: a column of 10,000 categories takes 10,001 places."""
    width = inputs.row.num_values
    needed_bytes, free_bytes = num_rows * width * itemsize, psutil.virtual_memory().available
    if needed_bytes > free_bytes:
        raise OutOfMemoryError(
            f"{num_rows:,} rows of {width:,} numbers need {needed_bytes / 2**30:,.1f} GiB, and "
            f"{free_bytes / 2**30:,.1f} GiB are free",
            remedy=_NARROWER[inputs.modality],
            details={"num_rows": num_rows, "width": width, "needed_bytes": needed_bytes},
        )
