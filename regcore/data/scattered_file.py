"""A split's file whose rows are written in any order: a shuffle that reads its source from begin to end."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from regcore.data.file_rows import Manifest, SplitFile

_CHUNK_BYTES: Final = 4 << 20


class ScatteredFile:
    """The file of one split, as `regcore.data.file_rows` reads it.

    Rows are written by calls of the system, not into a map: its pages would count as resident.

    Args:
        path: Where; the file is made, with zeros where nothing is put.
        layout: What a block holds.
        num_rows: Of the split; each is to be put once.
    """

    def __init__(self, path: Path, layout: Manifest, num_rows: int) -> None:
        self._path = path
        self._layout = layout
        self._num_rows = num_rows
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, -(-num_rows // layout.block_rows) * layout.block_bytes)

    def put(self, places: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> None:
        """Write rows.

        Args:
            places: Of each in the split, (N,).
            columns: By the names of the layout's, each (N, ...).
        """
        block, inside = np.divmod(places, self._layout.block_rows)
        begin = 0
        for column in self._layout.columns:
            offsets = block * self._layout.block_bytes + begin + inside * column.row_bytes
            rows = np.ascontiguousarray(columns[column.name], column.dtype).reshape(len(places), -1).view(np.uint8)
            for row, offset in zip(rows, offsets.tolist(), strict=True):
                os.pwrite(self._file, row.data, offset)
            begin += self._layout.block_rows * column.row_bytes

    def close(self) -> SplitFile:
        """Bring the file to disk, and tell its digest."""
        digest = hashlib.sha256()
        os.lseek(self._file, 0, os.SEEK_SET)
        while chunk := os.read(self._file, _CHUNK_BYTES):
            digest.update(chunk)
        os.fsync(self._file)
        os.close(self._file)
        return SplitFile(self._num_rows, digest.hexdigest())
