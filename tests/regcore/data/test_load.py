import gzip
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits

from regcore.data.catalogue import BUILTIN
from regcore.data.load import DEBIAN_DIR, load
from regcore.errors import InvalidDataError

FASHION = DEBIAN_DIR / "fashion-mnist"
needs_fashion = pytest.mark.skipif(not FASHION.is_dir(), reason="apt package dataset-fashion-mnist is not installed")


def source(name: str, kind: str = "builtin") -> SimpleNamespace:
    return SimpleNamespace(kind=kind, name=name)


@pytest.mark.parametrize("name", BUILTIN)
def test_each_builtin_set_is_what_the_table_says(name):
    raw = load(source(name))

    assert raw.x.shape == (raw.info.num_rows, *raw.info.feature_shape)
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


@needs_fashion
@pytest.mark.parametrize("data_dir", [DEBIAN_DIR, FASHION])
def test_fashion_mnist_is_read_as_debian_lays_it(data_dir):
    raw = load(source("FashionMNIST", "torchvision"), data_dir)

    assert raw.x.shape == (60_000, 1, 28, 28)
    assert raw.official_test is not None
    assert raw.official_test[0].shape == (10_000, 1, 28, 28)
    packed = gzip.decompress((FASHION / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert np.array_equal(np.round(raw.official_test[0][0] * 255).ravel(), list(packed[16 : 16 + 784]))
    assert np.bincount(raw.y).tolist() == [6000] * 10


@needs_fashion
def test_fashion_mnist_is_read_from_torchvisions_own_layout(tmp_path):
    raw_folder = tmp_path / "FashionMNIST" / "raw"
    raw_folder.mkdir(parents=True)
    for packed in FASHION.glob("*.gz"):
        with gzip.open(packed) as content, (raw_folder / packed.stem).open("wb") as target:
            shutil.copyfileobj(content, target)

    raw = load(source("FashionMNIST", "torchvision"), tmp_path)

    assert raw.official_test is not None
    assert len(raw.official_test[1]) == 10_000


@pytest.mark.parametrize("name", ["FashionMNIST", "CIFAR10"])
def test_a_missing_set_says_where_it_looked_and_what_to_do(name, tmp_path):
    with pytest.raises(InvalidDataError, match=f"{name}.*Looked in {tmp_path}") as raised:
        load(source(name, "torchvision"), tmp_path, allow_download=False)

    assert "REGCORE_DATA_SETS_DIR" in raised.value.remedy


@needs_fashion
def test_another_sets_folder_is_not_taken_for_it():
    with pytest.raises(InvalidDataError):
        load(source("MNIST", "torchvision"), FASHION, allow_download=False)


@needs_fashion
def test_a_damaged_file_is_invalid_data(tmp_path):
    folder = tmp_path / "fashion-mnist"
    shutil.copytree(FASHION, folder)
    labels: Path = folder / "train-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:1000])

    with pytest.raises(InvalidDataError, match="Cannot read the data set FashionMNIST"):
        load(source("FashionMNIST", "torchvision"), tmp_path, allow_download=False)


def test_an_unknown_set_is_refused():
    with pytest.raises(InvalidDataError, match="must be one of digits, mnist-5k"):
        load(source("minst"))
