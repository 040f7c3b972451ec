from typing import get_args

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional

from regcore.layers import Activation
from regcore.layers.activation import ActivationName
from regcore.shapes import RowInfo


@pytest.mark.parametrize("name", get_args(ActivationName))
def test_each_name_is_torchs_function_of_that_name(name):
    x = torch.linspace(-3, 3, 24).view(2, 3, 4)

    y = Activation(name=name).forward(x, {}, None)

    function = getattr(torch, name, None) or getattr(functional, name)
    torch.testing.assert_close(y, function(x))


def test_its_name_is_no_label():
    assert Activation(name="tanh").given_label is None


def test_it_has_no_parameters_and_keeps_the_shape():
    assert Activation().tensors(RowInfo((3, 4))) == []
    assert Activation().output(RowInfo((3, 4))) == RowInfo((3, 4))


def test_an_unknown_function_is_refused():
    with pytest.raises(ValidationError, match="relu"):
        Activation(name="rleu")
