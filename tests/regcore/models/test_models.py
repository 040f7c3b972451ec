import pytest
from pydantic import TypeAdapter, ValidationError

from regcore.spec.kinds import MODELS, AnyModel

read = TypeAdapter(AnyModel).validate_python


def expanded(model):
    return [layer.model_dump(exclude_defaults=True) for layer in read(model).expand()]


def test_linear_is_one_layer_with_the_tasks_outputs():
    assert expanded({"kind": "linear"}) == [{}]


def test_linear_without_bias():
    assert expanded({"kind": "linear", "bias": False}) == [{"bias": False}]


def test_mlp_has_an_activation_after_each_hidden_layer_and_none_after_the_output():
    layers = expanded({"kind": "mlp", "hidden": [5, 3], "activation": "tanh"})

    assert layers == [{"features": 5}, {"name": "tanh"}, {"features": 3}, {"name": "tanh"}, {}]


def test_layers_are_what_was_written():
    layers = [{"kind": "flatten"}, {"kind": "linear", "features": 4}, {"kind": "dropout", "p": 0.25}]

    assert [layer.kind for layer in read({"kind": "layers", "layers": layers}).expand()] == [
        "flatten",
        "linear",
        "dropout",
    ]


@pytest.mark.parametrize("hidden", [[], [0], [-1], [1.5], "128"])
def test_hidden_widths_are_positive_whole_numbers(hidden):
    with pytest.raises(ValidationError, match="hidden"):
        read({"kind": "mlp", "hidden": hidden})


def test_a_list_of_layers_is_not_empty():
    with pytest.raises(ValidationError, match="layers"):
        read({"kind": "layers", "layers": []})


@pytest.mark.parametrize("model", MODELS.values())
def test_every_model_ends_in_its_output_layer(model):
    assert read(model.example).expand()[-1].kind == "linear"
