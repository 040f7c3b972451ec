from typing import get_args

import pytest
import torch
from torchvision.models import get_model

from regcore.layers.opaque import described
from regcore.layers.torchvision import ModelName, known_tensors, read_table
from regcore.layers.torchvision_table import table_of


@pytest.mark.parametrize("name", ["resnet18", "vgg11_bn", "vit_b_16", "squeezenet1_1"])
def test_the_table_is_that_of_the_installed_torchvision(name):
    assert table_of(name) == read_table()[name]


@pytest.mark.parametrize("name", get_args(ModelName))
def test_every_models_tensors_are_those_of_the_installed_torchvision(name):
    with torch.device("meta"):
        model = get_model(name, weights=None)

    assert known_tensors(name) == tuple(described(model))


def test_every_model_has_a_table_and_no_other():
    assert set(read_table()) == set(get_args(ModelName))
    assert all(entry["default_weights"] in entry["weights"] for entry in read_table().values())
