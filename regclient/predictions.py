"""What a model predicts of a file's rows, and the CSV that it is written to."""

import csv
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from regclient.datasets import Header
from regclient.errors import UsageError

if TYPE_CHECKING:
    from regcore.predict import Predictor


@dataclass(frozen=True)
class Predictions:
    """One for each row of a file, in its order.

    Attributes:
        values: Labels as spelled in the training file, numbers in the target's own unit, or the error of each row's
            reconstruction.
        classes: Labels in the order of `probabilities`; None without classes.
        probabilities: For each row that of each class; None without classes.
        notes: What was unusual about the rows, such as categories that training never saw.
        name: What the values are called: `prediction` or `reconstruction_error`.
        files: The path of each row's file in a folder or an archive; None for rows of a table.
    """

    values: Sequence[Any]
    classes: Sequence[str] | None
    probabilities: Sequence[Sequence[float]] | None
    notes: Sequence[str]
    name: str = "prediction"
    files: Sequence[str] | None = None

    @property
    def header(self) -> list[str]:
        """The names of the CSV's columns."""
        file = [] if self.files is None else ["file"]
        return ["row", *file, self.name, *(f"probability_{label}" for label in self.classes or ())]

    def rows(self) -> Iterator[list[Any]]:
        """Yield the CSV's rows, numbered from 1. Numbers have all their digits."""
        for index, value in enumerate(self.values):
            shares = self.probabilities[index] if self.probabilities is not None else ()
            file = [] if self.files is None else [self.files[index]]
            yield [index + 1, *file, value, *shares]

    def write(self, file: TextIO) -> None:
        """Write them as CSV."""
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows())


def predict_file(
    predictor: "Predictor", path: Path, *, header: Header = "auto", name: str | None = None
) -> Predictions:
    """Predict each row of a file, or each file of a folder's archive.

    Args:
        predictor: A model.
        path: The file; of a model of images an image, a folder or an archive of them, or an NPZ file.
        header: Whether the first row of a CSV file has the columns' names.
        name: What messages call the file; by default the path's last part.

    Raises:
        InvalidDataError: The file does not hold what the model takes, or lacks a column that it needs.
    """
    with needing_engine():
        from regcore.data.files.kinds import ENDINGS, ending_of
        from regcore.data.tables.read import read_file

    rows: Any
    files: list[str] | None = None
    kind = predictor.preprocessing.kind
    if kind in ("image", "audio") and ENDINGS.get(ending_of(path.name)) == kind:
        rows, files = [path], [path.name]
    else:
        rows = read_file(path, header=header, name=name, has_classes=False)
        if rows.facts.format in ("zip", "folder"):
            files = rows.columns["file"].to_pylist()
    if predictor.gives_rows:
        errors = predictor.reconstruction_error(rows).tolist()
        return Predictions(errors, None, None, list(predictor.notes), "reconstruction_error", files)
    if predictor.classes is None:
        numbers = predictor.predict(rows).tolist()
        return Predictions(numbers, None, None, list(predictor.notes), files=files)
    shares = predictor.predict_proba(rows)
    labels = [predictor.classes[number] for number in shares.argmax(axis=1)]
    return Predictions(labels, predictor.classes, shares.tolist(), list(predictor.notes), files=files)


@contextmanager
def replaced_when_whole(path: Path) -> Iterator[TextIO]:
    """Yield a file that takes the place of `path` once all of it was written; else nothing changes.

    What is no regular file, such as a pipe or /dev/null, is written to directly.
    """
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    path = path.resolve()  # the file behind a link is replaced, not the link
    partial = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with partial.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load_local_predictor(folder: Path) -> "Predictor":
    """Load the model in a folder.

    Raises:
        InvalidDataError: The files are not what they should be.
        UsageError: This installation has no engine.
    """
    with needing_engine():
        from regcore.predict import load_predictor

    return load_predictor(folder)


@contextmanager
def needing_engine() -> Iterator[None]:
    """Around an import of the engine: say what to install if a part of it is missing.

    Raises:
        UsageError: It is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"A model runs on this machine, and the package {error.name!r} is missing here. "
            "Install the engine: pip install 'regcore[engine]'."
        ) from error
