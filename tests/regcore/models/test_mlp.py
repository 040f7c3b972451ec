import pytest
from pydantic import ValidationError

from regcore.models import MLPModel
from regcore.shapes import RowInfo


def test_an_activation_follows_each_hidden_layer_and_none_the_output():
    layers = MLPModel(hidden=[5, 3], activation="tanh").expand(RowInfo((3,)))

    written = [layer.model_dump(exclude_defaults=True) for layer in layers]
    assert written == [{"features": 5}, {"name": "tanh"}, {"features": 3}, {"name": "tanh"}, {}]


@pytest.mark.parametrize("hidden", [[], [0], [-1], [1.5], "128"])
def test_hidden_widths_are_positive_whole_numbers(hidden):
    with pytest.raises(ValidationError, match="hidden"):
        MLPModel(hidden=hidden)
