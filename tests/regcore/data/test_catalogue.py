import subprocess
import sys

import pytest
from sklearn import datasets as sklearn_datasets
from torchvision import datasets as torchvision_datasets

from regcore.data.catalogue import BUILTIN, TORCHVISION


def test_importing_it_needs_neither_torch_nor_numpy():
    code = "import sys, regcore.data.catalogue, regcore.data.split; print({'torch', 'numpy'} & set(sys.modules))"

    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert output.strip() == "set()"


@pytest.mark.parametrize("name", ["breast-cancer", "wine", "diabetes"])
def test_columns_and_classes_are_scikit_learns(name):
    bunch = getattr(sklearn_datasets, f"load_{name.replace('-', '_')}")()

    info = BUILTIN[name]

    assert info.columns == tuple(bunch.feature_names)
    assert info.classes == (tuple(bunch.target_names) if "target_names" in bunch else None)


@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST"])
def test_class_names_are_torchvisions(name):
    assert TORCHVISION[name].classes == tuple(getattr(torchvision_datasets, name).classes)


@pytest.mark.parametrize("info", [*BUILTIN.values(), *TORCHVISION.values()], ids=lambda info: info.name)
def test_class_names_are_distinct(info):
    assert info.classes is None or len(set(info.classes)) == len(info.classes)
