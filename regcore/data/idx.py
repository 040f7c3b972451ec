"""Gzipped IDX files, the format of MNIST and similar sets, read in place.

Nothing is unpacked to disk, so a process that is killed leaves no files behind.
"""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC_OF_BYTES = b"\0\0\x08"


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one array of bytes.

    The format: three magic bytes, one byte with the number of axes, each axis's length in four big-endian bytes, the
    data.

    Raises:
        ValueError: The file is of another type, or its size does not match its axes.
    """
    with gzip.open(path) as packed:
        content = packed.read()
    if content[:3] != _MAGIC_OF_BYTES:
        raise ValueError(f"expected an IDX file of bytes in {path.name}; received one that begins with {content[:4]!r}")
    num_axes = content[3]
    shape: NDArray[Any] = np.frombuffer(content, ">u4", num_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape)


def read_split(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the images, (N, H, W), and labels, (N,), of a part of a set: `train` or `t10k`."""
    return read_idx(folder / f"{part}-images-idx3-ubyte.gz"), read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
