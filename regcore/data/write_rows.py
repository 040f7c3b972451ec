"""Write rows to the files that `regcore.data.file_rows` reads: once, part after part, never whole in memory."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import torch
from numpy.typing import NDArray

from regcore.data.file_rows import MANIFEST, Column, Manifest, SplitFile
from regcore.data.prepared import Split
from regcore.errors import InvalidDataError

BLOCK_BYTES: Final = 2**17
"""About the size of a block. Smaller ones make more reads, larger ones take more memory for each member of a pass."""


def write_rows(
    folder: Path,
    splits: Mapping[str, Iterable[Split]],
    *,
    num_classes: int | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Manifest:
    """Write splits into a folder; a split without rows gets no file.

    The manifest is written last, so that a folder with a manifest is whole. Training shuffles rows within windows of
    blocks: shuffle them once before they are written if they are sorted, say by class.

    Args:
        folder: Made if it is missing. Files of before are replaced.
        splits: `train`, `validation`, `test`: the parts of each, in the order of their rows.
        num_classes: How many classes the targets number, from 0; None for targets that are no classes.
        block_bytes: About the size of a block: as many rows as fit, and at least one.

    Raises:
        InvalidDataError: A row of tokens or of varying length is wrong, or a target is none of the classes.
        ValueError: Parts differ in shape, precision, vocabulary or whether they vary, or no split has rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    layout: Manifest | None = None
    written: dict[str, SplitFile] = {}
    for name, parts in splits.items():
        with _SplitWriter(folder / f"{name}.rows", name, layout, block_bytes) as writer:
            for part in parts:
                if num_classes is not None:
                    _check_labels(part.y, num_classes, f"{name} row", writer.num_rows)
                writer.add(part)
        layout = writer.layout
        if writer.num_rows:
            written[name] = SplitFile(writer.num_rows, writer.sha256)
        else:
            writer.path.unlink()
    if layout is None:
        raise ValueError("expected rows in at least one split; all are empty")
    manifest = Manifest(layout.columns, layout.tokens, layout.block_rows, written)
    write_manifest(folder, manifest)
    return manifest


class _SplitWriter:
    """Writes one file, block by block.

    Attributes:
        path: Where.
        layout: That of its rows; None before the first part, if no split before has one.
        num_rows: Added so far.
        sha256: Of the file, once it is closed.
    """

    def __init__(self, path: Path, name: str, layout: Manifest | None, block_bytes: int) -> None:
        self.path = path
        self.layout = layout
        self.num_rows = 0
        self.sha256 = ""
        self._name = name
        self._block_bytes = block_bytes
        self._digest = hashlib.sha256()
        self._block: NDArray[np.uint8] = np.zeros((1, 0), np.uint8)
        self._columns: dict[str, NDArray[Any]] = {}

    def __enter__(self) -> "_SplitWriter":
        self._file: BinaryIO = self.path.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        if self.layout is not None and self.num_rows % self.layout.block_rows:
            self._flush()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.sha256 = self._digest.hexdigest()

    def add(self, part: Split) -> None:
        """Append rows."""
        arrays = arrays_of(part)
        layout = self._fitting(layout_of(arrays, part.tokens, self._block_bytes))
        if not self._columns:
            self._block = np.zeros((1, layout.block_bytes), np.uint8)
            self._columns = {name: column[0] for name, column in layout.columns_of(self._block).items()}
        begin = 0
        while begin < len(part):
            place = self.num_rows % layout.block_rows
            end = min(len(part), begin + layout.block_rows - place)
            for name, array in arrays.items():
                self._columns[name][place : place + end - begin] = array[begin:end]
            self.num_rows += end - begin
            begin = end
            if self.num_rows % layout.block_rows == 0:
                self._flush()

    def _fitting(self, layout: Manifest) -> Manifest:
        """The layout of all parts, if this one has it too."""
        if self.layout is None:
            self.layout = layout
        if layout != self.layout:
            raise ValueError(
                f"expected {self._name} rows as those before: {_described(self.layout)}; received {_described(layout)}"
            )
        return layout

    def _flush(self) -> None:
        self._file.write(self._block.data)
        self._digest.update(self._block.data)
        self._block.fill(0)


def _check_labels(y: torch.Tensor, num_classes: int, what: str, first: int) -> None:
    """Raises InvalidDataError at the first target that is none of the classes, which training would meet much later."""
    if y.is_floating_point():
        raise InvalidDataError(
            f"expected the numbers of {num_classes} classes as targets, which are whole; received {y.dtype}",
            remedy="Number the classes from 0, or leave num_classes out if targets are numbers.",
        )
    wrong = ((y < 0) | (y >= num_classes)).nonzero()
    if len(wrong):
        row = int(wrong[0, 0])
        raise InvalidDataError(
            f"{what} {first + row} has the target {int(y[row])}; {num_classes} classes have the numbers 0 to "
            f"{num_classes - 1}",
            remedy="Number the classes from 0, or raise num_classes.",
        )


def arrays_of(part: Split) -> dict[str, NDArray[Any]]:
    """The columns of a part, in the order of a block: the small ones first, so that none begins at an odd byte."""
    columns = {"lengths": part.lengths, "y": part.y, "x": part.x}
    return {name: column.cpu().numpy() for name, column in columns.items() if column is not None}


def layout_of(arrays: Mapping[str, NDArray[Any]], tokens: int | None, block_bytes: int = BLOCK_BYTES) -> Manifest:
    """How blocks of such columns lie in a file; no split is written yet."""
    columns = tuple(Column(name, array.dtype.name, array.shape[1:]) for name, array in arrays.items())
    block_rows = max(1, block_bytes // max(1, sum(column.row_bytes for column in columns)))
    return Manifest(columns, tokens, block_rows, {})


def _described(layout: Manifest) -> str:
    columns = [f"{column.name} {column.dtype} {column.shape}" for column in layout.columns]
    return ", ".join([*columns, f"tokens {layout.tokens}"])


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write it under another name first, so that no half of it is ever read."""
    content = json.dumps(manifest.to_json(), indent=1).encode()
    temporary = folder / f"{MANIFEST}.part"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / MANIFEST)
