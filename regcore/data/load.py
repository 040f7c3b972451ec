"""Raw rows of a data set, from disk or from scikit-learn.

A torchvision set is in the operator's data directory, in torchvision's own layout (`FashionMNIST/raw/…`) or as gzipped
IDX files in a folder of its name (`fashion-mnist`, as in Debian's `dataset-fashion-mnist`).
"""

import csv
import gzip
import os
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from regcore.data.catalogue import BUILTIN, TORCHVISION, DatasetInfo
from regcore.data.idx import read_split
from regcore.data.sounds.tiny_speech import read_tiny_speech
from regcore.errors import InvalidDataError

DATA_DIR_VARIABLE: Final = "REGCORE_DATA_SETS_DIR"
DOWNLOAD_VARIABLE: Final = "REGCORE_ALLOW_DOWNLOADS"
_YES: Final = frozenset({"1", "true", "t", "yes", "y", "on"})
_NO: Final = frozenset({"", "0", "false", "f", "no", "n", "off"})
DEBIAN_DIR: Final = Path("/usr/share/datasets")
_MNIST_5K: Final = Path(__file__).with_name("mnist_5k.npz")
_TINY_TEXT: Final = Path(__file__).parent / "texts" / "tiny_text.csv.gz"
_UNREADABLE: Final = (
    OSError, EOFError, zlib.error, pickle.UnpicklingError,
    ValueError, TypeError, AssertionError, RuntimeError, KeyError,
)  # fmt: skip

ImageDtype = type[np.float32] | type[np.float64]


class DataSource(Protocol):
    """The part of a spec's `data` that names the set."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True, eq=False)
class RawData:
    """A data set before splitting.

    Attributes:
        info: Its line in the table of known sets.
        x: Images in [0, 1] as float32 or float64, (N, C, H, W); tables as float64 in their own units, (N, columns); of
            sounds the files, and texts as they are, (N,).
        y: Class labels as int64 or regression targets as float64, (N,).
        official_test: x and y of the official test split, if the set has one.
        image_maximum: What raw pixels were divided by; None for tables and sounds.
        groups: The group of each row, (N,); None where rows stand for themselves.
    """

    info: DatasetInfo
    x: NDArray[Any]
    y: NDArray[Any]
    official_test: tuple[NDArray[Any], NDArray[Any]] | None = None
    image_maximum: float | None = None
    groups: NDArray[np.object_] | None = None


def load(
    source: DataSource,
    data_dir: Path | None = None,
    *,
    image_dtype: ImageDtype = np.float32,
    allow_download: bool | None = None,
) -> RawData:
    """Read a built-in or torchvision data set.

    Args:
        source: The spec's `data`.
        data_dir: The folder of torchvision's sets; by default `REGCORE_DATA_SETS_DIR`, else Debian's folder.
        image_dtype: The type of the scaled pixels.
        allow_download: Whether torchvision may download; by default what `REGCORE_ALLOW_DOWNLOADS` says.

    Raises:
        InvalidDataError: The set is unknown, missing, damaged or not what the table says it is.
    """
    if source.kind == "builtin" and source.name in BUILTIN:
        return _load_builtin(BUILTIN[source.name], image_dtype)
    if source.kind == "torchvision" and source.name in TORCHVISION:
        if allow_download is None:
            allow_download = may_download()
        folder = data_sets_folder(data_dir)
        return _load_torchvision(TORCHVISION[source.name], folder, image_dtype, allow_download=allow_download)
    raise InvalidDataError(
        f"data.name must be one of {', '.join([*BUILTIN, *TORCHVISION])}; "
        f"received {source.name!r} of kind {source.kind!r}",
        remedy="Choose one of the sets listed at /v1/builtin-datasets.",
    )


def data_sets_folder(data_dir: Path | None) -> Path:
    """The operator's folder: this one, else the environment's, else Debian's."""
    return data_dir or Path(os.environ.get(DATA_DIR_VARIABLE) or DEBIAN_DIR)


def may_download() -> bool:
    """What the environment says, in the words that the servers' settings take."""
    said = os.environ.get(DOWNLOAD_VARIABLE, "").strip().lower()
    if said not in _YES | _NO:
        raise InvalidDataError(
            f"{DOWNLOAD_VARIABLE} must be true or false; received {said!r:.80}", remedy="Correct or unset it."
        )
    return said in _YES


def _load_builtin(info: DatasetInfo, image_dtype: ImageDtype) -> RawData:
    if info.name == "mnist-5k":
        with np.load(_MNIST_5K, allow_pickle=False) as archive:
            images = scale_images(archive["images"][:, None], 255.0, image_dtype)
            return RawData(info, images, np.asarray(archive["labels"], np.int64), image_maximum=255.0)
    if info.name == "tiny-speech":
        files, digits, voices = read_tiny_speech()
        return RawData(info, files, digits, groups=voices)
    if info.name == "tiny-text":
        return _tiny_text(info)

    from sklearn import datasets

    readers: dict[str, Callable[[], Any]] = {
        "digits": datasets.load_digits,
        "breast-cancer": datasets.load_breast_cancer,
        "wine": datasets.load_wine,
        "diabetes": lambda: datasets.load_diabetes(scaled=False),
    }
    bunch = readers[info.name]()
    if info.name == "digits":
        images = scale_images(bunch.images[:, None], 16.0, image_dtype)
        return RawData(info, images, np.asarray(bunch.target, np.int64), image_maximum=16.0)
    target_dtype = np.float64 if info.classes is None else np.int64
    return RawData(info, bunch.data.astype(np.float64), bunch.target.astype(target_dtype))


def _tiny_text(info: DatasetInfo) -> RawData:
    assert info.classes is not None, "the set has classes"
    with gzip.open(_TINY_TEXT, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [info.classes.index(row["label"]) for row in rows]
    return RawData(info, np.array([row["text"] for row in rows], object), np.array(labels, np.int64))


def scale_images(pixels: NDArray[Any], image_maximum: float, dtype: Any) -> NDArray[Any]:
    """Scale raw pixels to [0, 1] in this dtype. A run and its predictor both call this, so they agree to the bit.

    The pixels of a float64 run are never rounded to float32.
    """
    scaled: NDArray[Any] = pixels.astype(dtype)
    scaled /= np.dtype(dtype).type(image_maximum)
    return scaled


def _load_torchvision(info: DatasetInfo, data_dir: Path, image_dtype: ImageDtype, *, allow_download: bool) -> RawData:
    try:
        packed = _packed_idx(info, data_dir)
        download = allow_download and packed is None
        train_pixels, train_y = _read_part(info, packed, data_dir, train=True, download=download)
        test_pixels, test_y = _read_part(info, packed, data_dir, train=False, download=download)
    except _UNREADABLE as error:
        looked_in = ", ".join(str(folder) for folder in [data_dir, *_idx_folders(info, data_dir)])
        raise InvalidDataError(
            f"Cannot read the data set {info.name}: {error}. Looked in {looked_in}.",
            remedy=f"Put torchvision's files of {info.name} into the data directory ({DATA_DIR_VARIABLE}), "
            f"or let the server download them ({DOWNLOAD_VARIABLE}=true).",
            details={"data_set": info.name, "looked_in": looked_in},
        ) from error
    train_x, test_x = (scale_images(pixels, 255.0, image_dtype) for pixels in (train_pixels, test_pixels))
    return RawData(info, train_x, train_y, (test_x, test_y), 255.0)


def _read_part(
    info: DatasetInfo, packed: Path | None, data_dir: Path, *, train: bool, download: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if packed is not None:
        images, labels = read_split(packed, "train" if train else "t10k")
    else:
        from torchvision import datasets

        opened = getattr(datasets, info.name)(str(data_dir), train=train, download=download)
        images, labels = opened.data, opened.targets
    pixels, y = np.asarray(images), np.asarray(labels, np.int64)
    # torchvision keeps colour channels last.
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
    expected = (info.num_rows if train else info.num_test_rows, *info.feature_shape)
    if pixels.shape != expected or len(y) != len(pixels):
        raise ValueError(f"expected images of shape {expected}; received {pixels.shape} and {len(y)} labels")
    return pixels, y


def _idx_folders(info: DatasetInfo, data_dir: Path) -> list[Path]:
    """Folders that may hold gzipped IDX files: those named after the set, possibly the data directory itself."""
    if info.feature_shape[0] != 1:
        return []
    dashed = info.name.lower().replace("mnist", "-mnist").removeprefix("-")
    folders = [data_dir / info.name / "raw", data_dir / info.name, data_dir / dashed]
    if data_dir.name.lower() in {info.name.lower(), dashed}:
        folders.append(data_dir)
    return folders


def _packed_idx(info: DatasetInfo, data_dir: Path) -> Path | None:
    """The folder with all of the set's gzipped IDX files; None if there is none, or torchvision's are unpacked."""
    stems = [f"{part}-{content}-ubyte" for part in ("train", "t10k") for content in ("images-idx3", "labels-idx1")]
    if all((data_dir / info.name / "raw" / stem).is_file() for stem in stems):
        return None
    folders = _idx_folders(info, data_dir)
    return next((one for one in folders if all((one / f"{stem}.gz").is_file() for stem in stems)), None)
