"""Rows in files that may be larger than memory: read in blocks, of which a bounded number is remembered.

A folder holds `manifest.json` and a file for each split, `train.rows`. A file is a row of blocks of equal size. Each
holds the columns of `block_rows` rows one after the other: how much of each row is in use, if rows vary; the targets;
the rows. The last block is filled up with zeros. `regcore.data.write_rows` writes them, once.

They are read, not mapped: the system maps the neighbours of each page that is touched, and counts them as resident. On
a file of 1.25 GB, reading a block was 18 times as fast as touching single mapped rows.
"""

import json
import os
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from regcore.data.rows import Batch, Hash
from regcore.errors import InvalidDataError
from regcore.shapes import RowInfo, Shape

FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
SLAB_BYTES: Final = 2**28
"""The most that the blocks in memory take, for all splits of a folder: those of 16 members, which each are in another
window of blocks. It is no share of the free memory, so that runs differ in nothing by who else uses the machine."""
_MAX_BUFFERS: Final = 512
"""Blocks of one read; the system refuses more than 1024."""


@dataclass(frozen=True, slots=True)
class Column:
    """One of the parts of a row: `lengths`, `y` or `x`.

    Attributes:
        name: Which.
        dtype: NumPy's name, as `float32`.
        shape: Of one row.
    """

    name: str
    dtype: str
    shape: Shape

    @property
    def row_bytes(self) -> int:
        """Of one row."""
        return int(np.dtype(self.dtype).itemsize * np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class SplitFile:
    """The file of one split: its rows, and the SHA-256 of its bytes."""

    num_rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the files of a folder hold.

    Attributes:
        columns: In the order in which a block holds them.
        tokens: Size of the vocabulary of integer rows; None for rows of numbers.
        block_rows: Rows of a block.
        splits: Those that have rows, by name.
    """

    columns: tuple[Column, ...]
    tokens: int | None
    block_rows: int
    splits: Mapping[str, SplitFile]

    @property
    def block_bytes(self) -> int:
        """Of one block."""
        return self.block_rows * sum(column.row_bytes for column in self.columns)

    @property
    def info(self) -> RowInfo:
        """One row."""
        shapes = {column.name: column.shape for column in self.columns}
        return RowInfo(shapes["x"], self.tokens, varies="lengths" in shapes)

    def columns_of(self, blocks: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """The columns of blocks (N, block_bytes), without a copy: (N, block_rows, ...)."""
        found, begin = {}, 0
        for column in self.columns:
            end = begin + self.block_rows * column.row_bytes
            part = blocks[:, begin:end].view(column.dtype)
            found[column.name] = part.reshape(len(blocks), self.block_rows, *column.shape)
            begin = end
        return found

    def to_json(self) -> dict[str, Any]:
        """As `manifest.json`."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Manifest":
        """The inverse of `to_json`."""
        columns = tuple(Column(one["name"], one["dtype"], tuple(one["shape"])) for one in body["columns"])
        splits = {name: SplitFile(**split) for name, split in body["splits"].items()}
        return cls(columns, body["tokens"], body["block_rows"], splits)


class Slab:
    """The blocks that were asked for last.

    Args:
        block_bytes: Of one block.
        num_blocks: The most that are remembered; at least 1.
    """

    def __init__(self, block_bytes: int, num_blocks: int) -> None:
        self.blocks: NDArray[np.uint8] = np.empty((num_blocks, block_bytes), np.uint8)
        self._free = list(range(num_blocks))
        self._held: OrderedDict[tuple[int, int], int] = OrderedDict()

    def hold(self, file: int, numbers: Sequence[int], name: str) -> list[int]:
        """Have these blocks of a file in memory, and tell their places in `blocks`.

        Args:
            file: Its descriptor.
            numbers: Rising, and no more of them than there are places.
            name: Of the file, for messages.

        Raises:
            InvalidDataError: The file ends before.
        """
        missing = []
        for number in numbers:
            if (file, number) in self._held:
                self._held.move_to_end((file, number))
            else:
                missing.append(number)
        for run in _runs(missing):
            places = [self._place() for _ in run]
            try:
                self._read(file, run[0], places, name)
            except BaseException:
                self._free += places
                raise
            self._held.update(((file, number), place) for number, place in zip(run, places, strict=True))
        return [self._held[file, number] for number in numbers]

    def _place(self) -> int:
        """A place that is free, or that of the block that nobody asked for longest."""
        return self._free.pop() if self._free else self._held.popitem(last=False)[1]

    def _read(self, file: int, first: int, places: Sequence[int], name: str) -> None:
        size = self.blocks.shape[1]
        num_read = os.preadv(file, [self.blocks[place].data for place in places], first * size)
        if num_read < len(places) * size:
            self._read_rest(file, first, places, num_read, name)

    def _read_rest(self, file: int, first: int, places: Sequence[int], num_read: int, name: str) -> None:
        """Go on with a read that the system has cut short, which it may: block by block."""
        size = self.blocks.shape[1]
        for number, place in enumerate(places):
            done = min(max(0, num_read - number * size), size)
            while done < size:
                more = os.preadv(file, [self.blocks[place, done:].data], (first + number) * size + done)
                if not more:
                    raise InvalidDataError(f"{name} was cut short while it was read", remedy="Write it again.")
                done += more


class FileRows:
    """A split in a file.

    Args:
        folder: Holds the file.
        split: Its name.
        manifest: Says what the file holds.
        slab: Where its blocks are kept; that of other splits too.
        dtype: Of the numbers that are fetched, targets too; None for the file's. Whole numbers stay as they are.

    Raises:
        InvalidDataError: The file is missing, or has another size than the manifest says.
    """

    def __init__(
        self, folder: Path, split: str, manifest: Manifest, slab: Slab, dtype: torch.dtype | None = None
    ) -> None:
        self._manifest = manifest
        self._file_facts = manifest.splits[split]
        self._slab = slab
        self._columns = manifest.columns_of(slab.blocks)
        self._dtype = dtype
        path = folder / f"{split}.rows"
        self._name = path.name
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            message = f"{path.name} cannot be read: {error.strerror}"
            raise InvalidDataError(message, remedy="Restore the data set's files, or write them again.") from error
        weakref.finalize(self, os.close, self._file)
        expected = -(-len(self) // manifest.block_rows) * manifest.block_bytes
        size = os.fstat(self._file).st_size
        if size != expected:
            raise InvalidDataError(
                f"{path.name} must have {expected:,} bytes for {len(self):,} rows; it has {size:,}",
                remedy="Restore the data set's files, or write them again.",
            )

    def __len__(self) -> int:
        return self._file_facts.num_rows

    @property
    def info(self) -> RowInfo:
        """One row."""
        return self._manifest.info

    @property
    def block_rows(self) -> int:
        """Rows of a block."""
        return self._manifest.block_rows

    def fetch(self, numbers: torch.Tensor) -> Batch:
        """These rows, for row numbers (K, B), on the CPU."""
        flat = numbers.flatten().cpu().numpy()
        blocks, which = np.unique(flat // self.block_rows, return_inverse=True)
        inside = flat % self.block_rows
        found = {column.name: self._empty(column, len(flat)) for column in self._manifest.columns}
        num_at_once = len(self._slab.blocks)
        for begin in range(0, len(blocks), num_at_once):
            some = blocks[begin : begin + num_at_once]
            places = np.array(self._slab.hold(self._file, some.tolist(), self._name))
            here = np.flatnonzero((which >= begin) & (which < begin + len(some)))
            taken = places[which[here] - begin], inside[here]
            for name, column in self._columns.items():
                found[name].numpy()[here] = column[taken]
        parts = {name: self._in_dtype(column).view(*numbers.shape, *column.shape[1:]) for name, column in found.items()}
        return Batch(parts["x"], parts["y"], parts.get("lengths"))

    def expect(self, numbers: torch.Tensor) -> None:
        """Let the system read these rows' blocks ahead, while the steps before them are computed."""
        size = self._manifest.block_bytes
        for run in _runs(np.unique(numbers.flatten().cpu().numpy() // self.block_rows).tolist()):
            os.posix_fadvise(self._file, run[0] * size, len(run) * size, os.POSIX_FADV_WILLNEED)

    def identify(self, digest: Hash) -> None:
        """Feed the manifest to a digest: it holds that of the file."""
        facts = {"manifest": self._manifest.to_json() | {"splits": None}, "split": asdict(self._file_facts)}
        digest.update(json.dumps(facts, sort_keys=True).encode())

    def _empty(self, column: Column, num_rows: int) -> torch.Tensor:
        """In memory that torch has laid, because where a matrix begins decides the last bits of its products."""
        return torch.empty((num_rows, *column.shape), dtype=getattr(torch, column.dtype))

    def _in_dtype(self, column: torch.Tensor) -> torch.Tensor:
        return column.to(self._dtype) if self._dtype is not None and column.is_floating_point() else column


def open_rows(folder: Path, *, dtype: torch.dtype | None = None, slab_bytes: int = SLAB_BYTES) -> dict[str, FileRows]:
    """The splits of a folder that have rows, by name. They share the memory for their blocks.

    Args:
        folder: As `write_rows` wrote it.
        dtype: As in `FileRows`.
        slab_bytes: The most that blocks take; at least one block is kept.

    Raises:
        InvalidDataError: A file is missing, or not what the manifest says.
    """
    manifest = _read_manifest(folder / MANIFEST)
    num_blocks = sum(-(-split.num_rows // manifest.block_rows) for split in manifest.splits.values())
    slab = Slab(manifest.block_bytes, max(1, min(num_blocks, slab_bytes // manifest.block_bytes)))
    return {name: FileRows(folder, name, manifest, slab, dtype) for name in manifest.splits}


def _read_manifest(path: Path) -> Manifest:
    try:
        body = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        message = f"{path.name} of the data set cannot be read: {error}"
        raise InvalidDataError(message, remedy="Write the data set's files again.") from error
    version = body.get("format_version")
    if version != FORMAT_VERSION:
        raise InvalidDataError(
            f"{path.name} must have format_version {FORMAT_VERSION}; received {version}",
            remedy="Write the data set's files again with this version.",
        )
    return Manifest.from_json(body)


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Rising numbers in runs of neighbours, which one read serves."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] + 1 == number and len(runs[-1]) < _MAX_BUFFERS:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs
