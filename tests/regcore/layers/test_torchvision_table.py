from typing import get_args

import pytest

from regcore.layers.torchvision import ModelName, read_table
from regcore.layers.torchvision_table import table_of


@pytest.mark.parametrize("name", get_args(ModelName))
def test_the_table_is_that_of_the_installed_torchvision(name):
    assert table_of(name) == read_table()[name]


def test_every_model_has_a_table_and_no_other():
    assert set(read_table()) == set(get_args(ModelName))
