import dataclasses
import gzip
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from regcore.data.catalogue import BUILTIN, TORCHVISION
from regcore.data.load import load
from regcore.errors import InvalidDataError

NUM_TRAIN, NUM_TEST = 20, 10


def source(name: str, kind: str = "builtin") -> SimpleNamespace:
    return SimpleNamespace(kind=kind, name=name)


@pytest.mark.parametrize("name", BUILTIN)
def test_each_builtin_set_is_what_the_table_says(name):
    raw = load(source(name))

    assert len(raw.x) == raw.info.num_rows
    if not raw.info.varies:  # rows that do are files or texts
        assert raw.x.shape[1:] == raw.info.feature_shape
    assert raw.y.shape == (raw.info.num_rows,)
    if raw.info.classes is not None:
        assert sorted(set(raw.y.tolist())) == list(range(len(raw.info.classes)))
        assert raw.y.dtype == np.int64


@pytest.mark.parametrize("name", ["digits", "mnist-5k"])
def test_images_are_scaled_to_the_unit_interval(name):
    raw = load(source(name))

    assert (raw.x.dtype, raw.x.min(), raw.x.max()) == (np.float32, 0, 1)


def test_digits_are_scikit_learns():
    raw = load(source("digits"))

    assert np.array_equal(raw.x.reshape(1797, 64) * 16, load_digits().data)


def test_mnist_5k_has_500_of_each_digit():
    assert np.bincount(load(source("mnist-5k")).y).tolist() == [500] * 10


def test_diabetes_comes_in_its_own_units():
    raw = load(source("diabetes"))

    assert raw.x[:, 0].max() == load_diabetes(scaled=False).data[:, 0].max() == 79
    assert raw.y.dtype == np.float64


def idx(values: np.ndarray) -> bytes:
    """An IDX file as LeCun describes it: two zeros, 8 for bytes, the number of dimensions, each size, the values."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def small_fashion(monkeypatch):
    """Fashion-MNIST with 20 and 10 rows in place of 60,000 and 10,000: its files by name, and what they say."""
    rng = np.random.default_rng(0)
    files = {}
    for part, num_rows in (("train", NUM_TRAIN), ("t10k", NUM_TEST)):
        files[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (num_rows, 28, 28), np.uint8)
        files[f"{part}-labels-idx1-ubyte"] = rng.integers(0, 10, num_rows, np.uint8)
    for name in ("MNIST", "FashionMNIST"):
        small = dataclasses.replace(TORCHVISION[name], num_rows=NUM_TRAIN, num_test_rows=NUM_TEST)
        monkeypatch.setitem(TORCHVISION, name, small)
    return files


def write_packed(folder: Path, files: dict[str, np.ndarray]) -> Path:
    """Lay them gzipped, as Debian does."""
    folder.mkdir(parents=True)
    for name, values in files.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx(values)))
    return folder


def assert_is(raw, files: dict[str, np.ndarray]) -> None:
    for (x, y), part in (((raw.x, raw.y), "train"), (raw.official_test, "t10k")):
        images, labels = files[f"{part}-images-idx3-ubyte"], files[f"{part}-labels-idx1-ubyte"]
        assert x.shape == (len(images), 1, 28, 28)
        assert np.array_equal(x[:, 0], images.astype(np.float32) / np.float32(255))
        assert (y.dtype, y.tolist()) == (np.int64, labels.tolist())


@pytest.mark.parametrize("data_dir", [".", "fashion-mnist"], ids=["the folder above", "the set's own folder"])
def test_fashion_mnist_is_read_as_debian_lays_it(data_dir, small_fashion, tmp_path):
    write_packed(tmp_path / "fashion-mnist", small_fashion)

    raw = load(source("FashionMNIST", "torchvision"), tmp_path / data_dir)

    assert_is(raw, small_fashion)


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "FashionMNIST"])
def test_fashion_mnist_is_read_packed_where_torchvision_would_lay_it(folder, small_fashion, tmp_path):
    write_packed(tmp_path / folder, small_fashion)

    assert_is(load(source("FashionMNIST", "torchvision"), tmp_path), small_fashion)


def test_fashion_mnist_is_read_from_torchvisions_own_layout(small_fashion, tmp_path):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name, values in small_fashion.items():
        (folder / name).write_bytes(idx(values))

    raw = load(source("FashionMNIST", "torchvision"), tmp_path)

    assert_is(raw, small_fashion)


def test_a_set_with_fewer_rows_than_the_table_says_is_refused(small_fashion, tmp_path):
    fewer = {name: values[:5] for name, values in small_fashion.items()}
    write_packed(tmp_path / "fashion-mnist", fewer)

    with pytest.raises(
        InvalidDataError, match=r"expected images of shape \(20, 1, 28, 28\); received \(5, 1, 28, 28\)"
    ):
        load(source("FashionMNIST", "torchvision"), tmp_path, allow_download=False)


@pytest.mark.parametrize("name", ["FashionMNIST", "CIFAR10"])
def test_a_missing_set_says_where_it_looked_and_what_to_do(name, tmp_path):
    with pytest.raises(InvalidDataError, match=f"{name}.*Looked in {tmp_path}") as raised:
        load(source(name, "torchvision"), tmp_path, allow_download=False)

    assert "REGCORE_DATA_SETS_DIR" in raised.value.remedy


def test_another_sets_folder_is_not_taken_for_it(small_fashion, tmp_path):
    folder = write_packed(tmp_path / "fashion-mnist", small_fashion)

    with pytest.raises(InvalidDataError, match="Cannot read the data set MNIST"):
        load(source("MNIST", "torchvision"), folder, allow_download=False)


def test_a_damaged_file_is_invalid_data(small_fashion, tmp_path):
    labels = write_packed(tmp_path / "fashion-mnist", small_fashion) / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-12])

    with pytest.raises(InvalidDataError, match="Cannot read the data set FashionMNIST"):
        load(source("FashionMNIST", "torchvision"), tmp_path, allow_download=False)


def test_an_unknown_set_is_refused():
    with pytest.raises(InvalidDataError, match="must be one of digits, mnist-5k"):
        load(source("minst"))


def test_a_download_is_allowed_or_not_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_ALLOW_DOWNLOADS", "maybe")

    with pytest.raises(InvalidDataError, match="REGCORE_ALLOW_DOWNLOADS must be true or false; received 'maybe'"):
        load(source("FashionMNIST", "torchvision"), tmp_path)
