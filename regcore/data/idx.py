"""IDX files, the format of MNIST and similar sets, gzipped or not, read in place.

Nothing is unpacked to disk, so a process that is killed leaves no files behind.
"""

import gzip
import io
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_MAGIC_OF_BYTES: Final = b"\0\0\x08"
_GZIP: Final = b"\x1f\x8b"
_MAX_AXES: Final = 4
_MAX_RATIO: Final = 1_100
"""More than gzip can shrink anything."""


def parse_idx(content: bytes, name: str) -> NDArray[np.uint8]:
    """Read one array of bytes.

    The format: three magic bytes, one byte with the number of axes, each axis's length in four big-endian bytes, the
    data. No more is unpacked than the lengths say.

    Args:
        content: Of the file, which may be gzipped.
        name: What messages call it.

    Raises:
        EOFError: It is cut short.
        OSError: It is gzipped, and damaged.
        ValueError: It is of another type, or its size does not match its axes.
    """
    with gzip.open(io.BytesIO(content)) if content.startswith(_GZIP) else io.BytesIO(content) as stream:
        start = stream.read(4)
        if start[:3] != _MAGIC_OF_BYTES or not 0 < start[3] <= _MAX_AXES:
            raise ValueError(f"expected an IDX file of bytes in {name}; received one that begins with {start!r}")
        lengths: NDArray[Any] = np.frombuffer(stream.read(4 * start[3]), ">u4")
        shape = tuple(lengths.tolist())
        size = prod(shape)
        if size > _MAX_RATIO * len(content):
            raise ValueError(f"{name} cannot hold an array of {shape}: it has {len(content):,} bytes")
        numbers = stream.read(size + 1)
    if len(shape) != start[3] or len(numbers) != size:
        raise ValueError(f"the size of {name} does not match its axes, {shape}: they take {size:,} bytes")
    return np.frombuffer(numbers, np.uint8).reshape(shape)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in a file; raises as `parse_idx`."""
    return parse_idx(path.read_bytes(), path.name)


def read_split(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the images, (N, H, W), and labels, (N,), of a part of a set: `train` or `t10k`."""
    return read_idx(folder / f"{part}-images-idx3-ubyte.gz"), read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
