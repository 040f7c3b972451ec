from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from regcore.data.catalogue import BUILTIN, TORCHVISION
from regcore.spec.data import AnyData, BuiltinName, TorchvisionName

read = TypeAdapter(AnyData).validate_python


def test_the_names_are_the_catalogues():
    assert set(get_args(BuiltinName)) == set(BUILTIN)
    assert set(get_args(TorchvisionName)) == set(TORCHVISION)


@pytest.mark.parametrize("name", get_args(BuiltinName))
def test_builtin_data_know_their_facts(name):
    assert read({"kind": "builtin", "name": name}).info.name == name


@pytest.mark.parametrize("name", get_args(TorchvisionName))
def test_torchvision_data_keep_their_official_test_split_by_default(name):
    spec = read({"kind": "torchvision", "name": name})

    assert spec.info.name == name
    assert spec.test_fraction is None


@pytest.mark.parametrize("fraction", ["test_fraction", "validation_fraction"])
@pytest.mark.parametrize("value", [1, 1.5, -0.1])
def test_a_fraction_is_from_0_to_below_1(fraction, value):
    with pytest.raises(ValidationError, match=fraction):
        read({"kind": "builtin", "name": "wine", fraction: value})


@pytest.mark.parametrize("fraction", ["test_fraction", "validation_fraction"])
def test_a_fraction_may_be_0(fraction):
    assert getattr(read({"kind": "builtin", "name": "wine", fraction: 0}), fraction) == 0


def test_a_builtin_test_split_has_a_fraction():
    with pytest.raises(ValidationError, match="test_fraction"):
        read({"kind": "builtin", "name": "wine", "test_fraction": None})
