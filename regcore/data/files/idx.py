"""Sets of IDX files, as of MNIST: images in one file, their labels in another, and a pair of them for each split."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from regcore.data.files.entry import Entry
from regcore.data.files.names import LABEL, SPLIT, SPLIT_WORDS
from regcore.data.idx import parse_idx
from regcore.data.images.arrays import read_array
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.media_column import with_media
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError

_NAME: Final = re.compile(r"(?:.*/)?(?P<part>[^/]*?)[-_.]?(?P<what>images|labels)[-_.]idx[13](?:-ubyte)?(?:\.gz)?")
_SPLITS: Final = {**SPLIT_WORDS, "t10k": "test"}
_UNREADABLE: Final = (ValueError, EOFError, OSError, zlib.error)


@dataclass(frozen=True)
class _Part:
    """One pair of files."""

    name: str
    images: Entry
    labels: Entry | None


def parts_of(entries: Sequence[Entry]) -> list[_Part]:
    """The pairs among these files, by their names: `train-images-idx3-ubyte.gz`, `train-labels-idx1-ubyte.gz`.

    Raises:
        InvalidDataError: Labels have no images, or some images have no labels.
    """
    found: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        match = _NAME.fullmatch(entry.path.lower())
        if match is not None:
            found.setdefault(match["part"], {})[match["what"]] = entry
    if not found:
        return []
    has_labels = any("labels" in pair for pair in found.values())
    for pair in found.values():
        if "images" not in pair or (has_labels and "labels" not in pair):
            what, alone = next(iter(pair.items()))
            raise InvalidDataError(
                f"{alone.path} has no file of {'labels' if what == 'images' else 'images'} beside it.",
                remedy="Put both files of a pair there: images-idx3-ubyte and labels-idx1-ubyte.",
                details={"file": alone.path},
            )
    return [_Part(name, pair["images"], pair.get("labels")) for name, pair in sorted(found.items())]


def read_parts(parts: Sequence[_Part], *, has_labels: bool = True) -> Table:
    """The images of all pairs; labels, and where there are several pairs the split of each row.

    Raises:
        InvalidDataError: A file is damaged, a pair's numbers of rows differ, or names of pairs say no splits.
    """
    arrays = [_array(part.images, num_axes=3) for part in parts]
    first = arrays[0].shape[1:]
    for part, array in zip(parts, arrays, strict=True):
        if array.shape[1:] != first:
            raise InvalidDataError(
                f"Its files have images of different sizes: {first} and, in {part.images.path}, {array.shape[1:]}.",
                remedy="Make a set of each.",
            )
    columns: dict[str, Any] = {}
    if has_labels and parts[0].labels is not None:
        columns[LABEL] = np.concatenate([_labels(part, len(array)) for part, array in zip(parts, arrays, strict=True)])
    if has_labels and len(parts) > 1:
        columns[SPLIT] = np.repeat([_split_of(part) for part in parts], [len(array) for array in arrays]).tolist()
    others = pa.table(columns)
    facts = find_facts(others, format="idx", default_target=LABEL if LABEL in columns else None)
    return with_media(others, facts, "image", read_array(np.concatenate(arrays)))


def read_idx_file(path: Path) -> Table:
    """A file of images by itself: rows without labels."""
    return read_parts([_Part("", Entry("It", path.stat().st_size, path.read_bytes), None)])


def _array(entry: Entry, *, num_axes: int) -> NDArray[np.uint8]:
    try:
        array = parse_idx(entry.read(), entry.path)
    except _UNREADABLE as error:
        raise InvalidDataError(
            f"{entry.path} is no whole IDX file: {error}.",
            remedy="Copy it again; images are three axes of bytes, and labels one.",
            details={"file": entry.path},
        ) from None
    if array.ndim != num_axes:
        raise InvalidDataError(
            f"{entry.path} holds an array of {array.ndim} axes; {num_axes} were expected.",
            remedy="Images are three axes of bytes, and labels one.",
            details={"file": entry.path},
        )
    return array


def _labels(part: _Part, num_images: int) -> NDArray[np.int64]:
    assert part.labels is not None, "pairs without labels have been refused"
    labels = _array(part.labels, num_axes=1)
    if len(labels) != num_images:
        raise InvalidDataError(
            f"{part.images.path} holds {num_images:,} images, and {part.labels.path} {len(labels):,} labels.",
            remedy="Give the two files of one pair.",
            details={"file": part.labels.path},
        )
    return labels.astype(np.int64)


def _split_of(part: _Part) -> str:
    word = re.split(r"[-_.]", part.name)[-1]
    if word not in _SPLITS:
        raise InvalidDataError(
            f"Of several pairs of IDX files each name begins with its split; {part.images.path} says none.",
            remedy="Call them train-images-idx3-ubyte, t10k-images-idx3-ubyte and so on, or make a set of each.",
            details={"file": part.images.path},
        )
    return _SPLITS[word]
