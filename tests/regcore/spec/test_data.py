from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from regcore.data.catalogue import BUILTIN, TORCHVISION
from regcore.spec.data import AnyData, BuiltinName, TorchvisionName

read = TypeAdapter(AnyData).validate_python


def test_the_names_are_the_catalogues():
    assert set(get_args(BuiltinName)) == set(BUILTIN)
    assert set(get_args(TorchvisionName)) == set(TORCHVISION)


@pytest.mark.parametrize("name", get_args(TorchvisionName))
def test_torchvision_data_keep_their_official_test_split_by_default(name):
    assert read({"kind": "torchvision", "name": name}).test_fraction is None


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


OWN = {
    "dataset": {"id": "ds_" + "0" * 26},
    "file": {"path": "rows.csv"},
    "arrays": {},
}


@pytest.mark.parametrize("kind", OWN)
def test_own_tables_have_the_same_fields_wherever_they_lie(kind):
    fields = {"target": "churn", "types": {"zip": "category"}, "features": {"missing": "median"}, "exclude": ["id"]}

    spec = read({"kind": kind, **OWN[kind], **fields})

    assert (spec.target, spec.types, spec.features.missing, spec.exclude) == (
        "churn", {"zip": "category"}, "median", ["id"],
    )  # fmt: skip
    assert (spec.test_fraction, spec.split_column, spec.group_column, spec.features.max_categories) == (
        0.2, None, None, 100,
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"types": {"a": "int"}},
        {"exclude": [""]},
        {"features": {"missing": "zero"}},
        {"features": {"max_categories": 0}},
    ],
    ids=str,
)
def test_a_wrong_field_of_an_own_table_is_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        read({"kind": "arrays", **wrong})
