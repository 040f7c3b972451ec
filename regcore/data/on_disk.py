"""From a table larger than memory to the splits of a run in files: encoded once, part after part, and shuffled."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from regcore.data.encoded import Columns, Encoder
from regcore.data.file_rows import FORMAT_VERSION, Manifest, open_rows
from regcore.data.inputs import Inputs, standardizes
from regcore.data.permutation import scattered
from regcore.data.placement import row_bytes
from regcore.data.prepared import PreparedData, RunSpec, Split, Targets, dtype_of
from regcore.data.read_preprocessing import read_preprocessing
from regcore.data.rows_cache import RowsCache
from regcore.data.scattered_file import ScatteredFile
from regcore.data.tables.settle import SettledRows
from regcore.data.tables.table import Table
from regcore.data.write_rows import arrays_of, layout_of, write_manifest
from regcore.streams import stream_seed

_log: Final = logging.getLogger(__name__)
_PREPROCESSING: Final = "preprocessing.json"
_PART_BYTES: Final = 32_000_000
_MAX_PART_ROWS: Final = 65_536
_TELL_EVERY_S: Final = 5.0


@dataclass(frozen=True, eq=False)
class OnDisk:
    """The rows of one spec.

    Attributes:
        table: Where they come from.
        identity: Equal for equal tables.
        inputs: What the network gets.
        settled: Targets and splits.
        classes: Labels in the order of the outputs; None without classes.
        target: The target's column; None if there is none.
        spec: The run's.
    """

    table: Table
    identity: str
    inputs: Inputs
    settled: SettledRows
    classes: tuple[str, ...] | None
    target: str | None
    spec: RunSpec

    def prepare(self, cache: RowsCache) -> PreparedData:
        """The splits in files, and their preprocessing; written if the cache does not have them."""
        num_rows = len(self.settled.numbers)
        needed_bytes = num_rows * (row_bytes(self.inputs.row, self.spec.training.precision) + 16)
        folder = cache.find_or_make(self._key(), needed_bytes, self._write)
        rows = open_rows(folder)
        preprocessing = read_preprocessing(json.loads((folder / _PREPROCESSING).read_text("utf-8")))
        places = {name: own for name, own in self._places().items() if len(own)}
        return PreparedData(
            rows["train"],
            rows.get("validation"),
            rows.get("test"),
            preprocessing,
            self.classes,
            self._targets().scaling,
            groups=self.settled.row_groups(self.spec.data.group_column, places),
            file_places={name: self.settled.numbers[own] for name, own in places.items()},
        )

    def _key(self) -> str:
        """What the files depend on. It begins with the table, so that they can go with it."""
        said = {
            "version": FORMAT_VERSION,
            "features": self.inputs.features.model_dump(mode="json"),
            "data": self.spec.data.model_dump(mode="json", exclude={"features", "path"}),
            "predicts": self.spec.task.predicts,
            "classes": self.classes,
            "dtype": str(dtype_of(self.spec)),
        }
        return f"{self.identity}-{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]}"

    def _targets(self) -> Targets:
        return Targets(self.settled.y, self.settled.splits, self.spec, self.classes)

    def _write(self, folder: Path) -> None:
        _log.info("writing %s rows to disk, once: they are larger than memory", f"{len(self.settled.numbers):,}")
        encoder = self._fitted()
        files: dict[str, ScatteredFile] = {}
        layout: Manifest | None = None
        for name, places, part in self._parts(encoder):
            arrays = arrays_of(part)
            layout = layout or layout_of(arrays, part.tokens)
            if name not in files:
                files[name] = ScatteredFile(folder / f"{name}.rows", layout, len(self._places()[name]))
            files[name].put(places, arrays)
        assert layout is not None, "the plan refuses an empty train split"
        written = {name: files[name].close() for name in self._places() if name in files}
        (folder / _PREPROCESSING).write_text(json.dumps(encoder.to_json()), "utf-8")
        write_manifest(folder, Manifest(layout.columns, layout.tokens, layout.block_rows, written))

    def _fitted(self) -> Encoder:
        train = self.settled.numbers[self.settled.splits.train]
        taken = _TakenColumns(self.inputs, self.table, train)
        given = [name for name in self.table.columns.column_names if name != self.target]
        standardize = standardizes(self.inputs, self.spec.data)
        return self.inputs.fit(taken, standardize=standardize, given=given, target=self.target)

    def _places(self) -> dict[str, NDArray[np.int64]]:
        """Places in `settled`, in the order of each file; train rows shuffled, as they may be sorted by class."""
        splits = self.settled.splits
        assert splits.test is not None, "own data have no official test split"
        num_train = len(splits.train)
        order = scattered(np.arange(num_train), num_train, stream_seed(self.spec.data.split_seed, "on disk"))
        return {"train": splits.train[order], "validation": splits.validation, "test": splits.test}

    def _parts(self, encoder: Encoder) -> Iterator[tuple[str, NDArray[np.int64], Split]]:
        """Some rows of a split, and their places in its file; the table is read from begin to end."""
        targets, dtype = self._targets(), np.float64 if dtype_of(self.spec) == torch.float64 else np.float32
        by_split = {
            name: _by_row(self.settled.numbers[places], places)
            for name, places in self._places().items()
            if len(places)
        }
        num_rows = self.table.columns.num_rows
        size = max(1, min(_MAX_PART_ROWS, _PART_BYTES // row_bytes(self.inputs.row, self.spec.training.precision)))
        told_at = time.monotonic()
        for begin in range(0, num_rows, size):
            columns = self.table.columns.slice(begin, size)
            for name, (rows, file_places, places) in by_split.items():
                start, end = np.searchsorted(rows, (begin, begin + size))
                if start == end:
                    continue
                chosen = columns.take(pa.array(rows[start:end] - begin))
                encoded = encoder.encode(self.inputs.read(chosen), dtype)
                lengths = None if encoded.lengths is None else torch.from_numpy(encoded.lengths)
                y = targets.of(self.settled.y[places[start:end]])
                part = Split(torch.from_numpy(encoded.x), y, None, lengths, self.inputs.row.tokens)
                yield name, file_places[start:end], part
            self.table.let_go()
            if time.monotonic() - told_at > _TELL_EVERY_S:
                told_at = time.monotonic()
                _log.info("written: %d %%", 100 * min(begin + size, num_rows) // num_rows)


def identity_of(table: Table) -> str:
    """A digest of what a table holds."""
    digest = hashlib.sha256(table.facts.model_dump_json().encode())
    for column in table.columns.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    digest.update(buffer)
        table.let_go()
    return digest.hexdigest()


def _by_row(
    rows: NDArray[np.int64], places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the table, rising; the place of each in its file; and its place among the targets."""
    order = np.argsort(rows, kind="stable")
    return rows[order], order, places[order]


class _TakenColumns(Mapping[str, Any]):
    """Columns of some rows, each read when it is asked for, and not kept."""

    def __init__(self, inputs: Inputs, table: Table, rows: NDArray[np.int64]) -> None:
        self._inputs = inputs
        self._table = table
        self._rows = pa.array(rows)

    def __getitem__(self, name: str) -> Any:
        taken = self._table.columns.select([name]).take(self._rows)
        self._table.let_go()
        read: Columns = self._inputs.read(taken)
        return read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs.names)

    def __len__(self) -> int:
        return len(self._inputs.names)
