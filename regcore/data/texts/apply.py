"""Raw texts, of which a trained network is asked."""

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from regcore.data.encoded import Encoded
from regcore.data.tables.features import near_names
from regcore.data.tables.findings import names_of
from regcore.data.tables.read import read_file
from regcore.data.tables.read.arrays import columns_of, has_names
from regcore.data.tables.read_column import spelled
from regcore.data.tables.table import Table
from regcore.data.texts.encode import TextPreprocessing
from regcore.errors import InvalidDataError


def apply_to_texts(preprocessing: TextPreprocessing, raw_rows: Any, dtype: Any) -> Encoded:
    """The rows of the network, and notes.

    Args:
        preprocessing: What was fitted on the train rows.
        raw_rows: A list or an array of texts; the path of a file, or of a folder or ZIP archive of texts; a `Table`, a
            data frame or a list of dicts with the column of the texts.
        dtype: Of numbers; tokens are int64.

    Raises:
        InvalidDataError: They hold no such column.
    """
    cells = _cells(preprocessing, raw_rows)
    return preprocessing.encode({preprocessing.column: pc.fill_null(spelled(cells), "")}, dtype)


def _cells(preprocessing: TextPreprocessing, raw_rows: Any) -> Any:
    if isinstance(raw_rows, str) and not os.path.exists(raw_rows):
        raise InvalidDataError(
            "A single text was given, or the path of a file that is not there.",
            remedy="Give a list of texts, also where it is one: [text].",
        )
    if isinstance(raw_rows, str | Path):
        raw_rows = read_file(Path(raw_rows), has_classes=False)
    if isinstance(raw_rows, Table):
        is_set = raw_rows.facts.format in ("folder", "zip") and raw_rows.facts.modality == "text"
        return raw_rows.columns["text"] if is_set else _named(preprocessing, raw_rows.columns)
    if isinstance(raw_rows, list | tuple) and not len(raw_rows):
        return pa.chunked_array([pa.array([], pa.string())])
    columns = columns_of(raw_rows, may_be_empty=True)
    if has_names(raw_rows):
        return _named(preprocessing, columns)
    names = [preprocessing.column] if columns.num_columns == 1 else list(preprocessing.given)
    if columns.num_columns != len(names):
        raise InvalidDataError(
            f"Expected a list of texts; received rows of {columns.num_columns} columns.",
            remedy=f"Give the texts alone, or rows that name the column {preprocessing.column!r}.",
        )
    return columns[names.index(preprocessing.column)]


def _named(preprocessing: TextPreprocessing, columns: pa.Table) -> Any:
    names = columns.column_names
    if preprocessing.column in names:
        return columns[preprocessing.column]
    if len(names) == 1:
        return columns[0]
    near = near_names(preprocessing.column, names)
    raise InvalidDataError(
        f"Rows lack the column {preprocessing.column!r}, which holds the texts; they have {names_of(names)}.",
        remedy=f"Name it as in training.{f' Perhaps {near[0]!r} is meant.' if near else ''}",
        details={"missing": [preprocessing.column]},
    )
