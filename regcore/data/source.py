"""Where the rows of a run come from: their facts for the plan, and their tensors for the training."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from regcore.data.encoded import Columns
from regcore.data.facts import DataFacts, known_facts
from regcore.data.files.names import FILE
from regcore.data.on_disk import OnDisk, identity_of
from regcore.data.placement import placement_of
from regcore.data.prepare import prepare_columns
from regcore.data.prepare_known import prepare
from regcore.data.prepared import PreparedData, RunSpec
from regcore.data.rows_cache import RowsCache, default_folder
from regcore.data.tables.choose import Chosen, choose, facts_of_chosen
from regcore.data.tables.facts import Reading
from regcore.data.tables.handed import HandedRows
from regcore.data.tables.labels import label_type_of
from regcore.data.tables.read import read_file
from regcore.data.tables.read_column import gaps, read_column
from regcore.data.tables.row_findings import SplitRows, comparable, from_rows
from regcore.data.tables.settle import SettledRows, settle_rows
from regcore.data.tables.split import sizes_of
from regcore.data.tables.table import Table
from regcore.doubts import Doubt
from regcore.errors import FieldError, SpecError

_AS_SPELLED = Reading(num_missing=0, num_distinct=0)


class Source(Protocol):
    """Rows that a run trains on.

    `facts` is a `FactsOf`, so that `make_plan(spec, facts_of=source.facts)` plans for exactly the rows that `prepare`
    gives.
    """

    def facts(self, spec: Any, /) -> DataFacts:
        """What a plan must know. Raises SpecError if the spec does not fit the data."""
        ...

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        """The splits of a resolved spec, as they are fed to the model. Raises InvalidDataError."""
        ...


class KnownSource:
    """Built-in and torchvision sets.

    Args:
        data_dir: The folder of torchvision's sets; None for the environment's, else Debian's.
    """

    def __init__(self, data_dir: Path | None = None) -> None:
        self._data_dir = data_dir

    def facts(self, spec: Any, /) -> DataFacts:
        """From a constant table."""
        return known_facts(spec)

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        """Load, split, scale."""
        return prepare(spec, self._data_dir, device=device)


class TableSource:
    """A table of the user's own.

    Args:
        table: Its columns and facts.
        name: What messages call it.
        roles: The split of each row that was handed in apart, as in `HandedRows`.
        numbers: What `Split.rows` calls each row; None for its place in the table.
        identity: Equal for equal tables; None to find it where it is needed.
        rows_dir: Where rows that are larger than memory are written; None for `default_folder()`.
    """

    def __init__(
        self,
        table: Table,
        name: str = "the table",
        *,
        roles: NDArray[np.object_] | None = None,
        numbers: NDArray[np.int64] | None = None,
        identity: str | None = None,
        rows_dir: Path | None = None,
    ) -> None:
        self._table = table
        self._identity = identity
        self._rows_dir = rows_dir
        self._name = name
        self._roles = roles
        self._numbers = numbers
        self._settled: tuple[tuple[Any, ...], Chosen, SettledRows] | None = None
        self._found: tuple[tuple[Any, ...], tuple[Doubt, ...]] | None = None

    @classmethod
    def of(cls, handed: HandedRows) -> "TableSource":
        """Rows that were handed to `train`."""
        return cls(handed.table, "the rows", roles=handed.roles, numbers=handed.numbers)

    def facts(self, spec: Any, /) -> DataFacts:
        """From the table's facts; rows are counted, so that the plan is exact."""
        chosen, settled = self._settle(spec)
        sizes = sizes_of(settled.splits)
        num_rows = len(settled.numbers)
        return facts_of_chosen(chosen, self._table.facts, spec, self._name, row_counts=sizes, num_rows=num_rows)

    def prepare(self, spec: RunSpec, *, device: torch.device | str = "cpu") -> PreparedData:
        """Read the columns, split, fit on the train rows, encode."""
        chosen, settled = self._settle(spec)
        label_type = None
        if chosen.classes is not None:
            label_type = label_type_of(self._table.columns[chosen.target_name].type)
        if placement_of(chosen.inputs.row, len(settled.numbers), spec) == "disk":
            return replace(self._on_disk(spec, chosen, settled), label_type=label_type, files=self._files())
        columns = chosen.inputs.read(self._table.columns)
        target = chosen.target_name
        prepared = prepare_columns(
            chosen.inputs,
            columns,
            settled.y,
            settled.splits,
            spec,
            chosen.classes,
            given=[name for name in self._table.columns.column_names if name != target],
            target=target,
            numbers=settled.numbers,
            shown_numbers=self._numbers,
            device=device,
        )
        return replace(
            prepared,
            label_type=label_type,
            doubts=(*prepared.doubts, *self._doubts(spec, chosen, settled, columns)),
            groups=settled.row_groups(spec.data.group_column),
            files=self._files(),
        )

    def _files(self) -> pa.ChunkedArray | None:
        """The path of each row's file, if rows are files."""
        return self._table.columns[FILE] if self._table.facts.format in ("folder", "zip") else None

    def _on_disk(self, spec: RunSpec, chosen: Chosen, settled: SettledRows) -> PreparedData:
        """The same, written to files once; what their rows show is not looked for."""
        self._identity = self._identity or identity_of(self._table)
        rows = OnDisk(self._table, self._identity, chosen.inputs, settled, chosen.classes, chosen.target_name, spec)
        prepared = rows.prepare(RowsCache(self._rows_dir or default_folder()))
        if self._numbers is None:
            return prepared
        shown = {name: self._numbers[places] for name, places in prepared.file_places.items()}
        return replace(prepared, file_places=shown)

    def _settle(self, spec: Any) -> tuple[Chosen, SettledRows]:
        key = (spec.data, spec.task.predicts)
        if self._settled is None or self._settled[0] != key:
            draws = self._roles is None and spec.data.split_column is None
            chosen = choose(self._table.facts, spec, find_row=self._find_row, draws_rows=draws)
            self._settled = key, chosen, settle_rows(self._table.columns, chosen, spec.data, self._roles)
        return self._settled[1:]

    def _find_row(self, column: str, text: str | None) -> int | None:
        cells, facts = self._table.columns[column], self._table.facts.column(column)
        if text is None:
            is_there = gaps(cells, facts.type if facts is not None else "category")
        else:
            is_there = pc.equal(pc.cast(read_column(cells, "category", _AS_SPELLED), pa.string()), text)
        place = pc.index(is_there, pa.scalar(True)).as_py()
        return place + 1 if place >= 0 else None

    def _doubts(self, spec: RunSpec, chosen: Chosen, settled: SettledRows, columns: Columns) -> tuple[Doubt, ...]:
        """Findings in the rows; remembered, because a sweep prepares the same rows many times."""
        key = (spec.data, spec.task.predicts)
        if self._found is None or self._found[0] != key:
            table = pa.table({name: comparable(cells) for name, cells in columns.items()})
            splits = {name: _split_rows(settled, table, places) for name, places in settled.by_split().items()}
            doubts = from_rows(
                splits,
                chosen.classes,
                has_target=chosen.target is not None,
                judges_columns=chosen.inputs.modality == "table",
            )
            self._found = key, tuple(doubts)
        return self._found[1]


def _split_rows(settled: SettledRows, columns: pa.Table, places: NDArray[np.int64]) -> SplitRows:
    rows = settled.numbers[places]
    return SplitRows(rows + 1, columns.take(pa.array(rows)), settled.y[places])


class Sources:
    """The sources of many specs, each opened once.

    Args:
        data_dir: The folder of torchvision's sets; None for the environment's, else Debian's.
        given: Rows that were handed in; None if each spec names its own.
    """

    def __init__(self, data_dir: Path | str | None = None, given: HandedRows | None = None) -> None:
        self._known = KnownSource(Path(data_dir) if data_dir else None)
        self._given = None if given is None else TableSource.of(given)
        self._files: dict[tuple[str, str], TableSource] = {}

    def of(self, data: Any) -> Source:
        """The rows of a spec's `data`.

        Raises:
            InvalidDataError: Its file cannot be read.
            SpecError: Rows were handed in, and it names others.
        """
        if self._given is not None:
            if data.kind != "arrays":
                message = f"rows were handed in, and data.kind {data.kind} has its own. Leave data out."
                raise SpecError([FieldError("/data/kind", "unknown_data", message)])
            return self._given
        if data.kind != "file":
            return self._known
        place = (data.path, data.header)
        if place not in self._files:
            path = Path(data.path)
            self._files[place] = TableSource(read_file(path, header=data.header), path.name)
        return self._files[place]

    def facts(self, spec: Any, /) -> DataFacts:
        """The facts of a spec's data, for `make_plan`."""
        return self.of(spec.data).facts(spec)
