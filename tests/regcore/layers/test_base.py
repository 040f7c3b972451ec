import pytest
import torch
from pydantic import ValidationError

from regcore.layers import LAYERS, LayerContext, Linear


def test_every_member_has_a_mask_stream_of_its_own_seed():
    first, second = LayerContext("dropout1", True, seeds=[1, 2]).mask_seeds()

    assert first != second
    assert LayerContext("dropout1", True, seeds=[2]).mask_seeds() == [second]


@pytest.mark.parametrize("change", [{"label": "dropout2"}, {"step": 1}, {"micro_batch": 1}, {"seeds": [1]}])
def test_streams_differ_by_layer_step_part_and_seed(change):
    moment = {"label": "dropout1", "training": True, "seeds": [0], "step": 0, "micro_batch": 0}

    assert LayerContext(**moment).mask_seeds() != LayerContext(**(moment | change)).mask_seeds()


def test_a_stream_is_the_same_whenever_it_is_asked_for():
    context = LayerContext("dropout1", True, seeds=[3], step=5)

    assert context.mask_seeds() == context.mask_seeds()


@pytest.mark.parametrize("name", ["1st", "a.b", "a b", "", "x" * 65, "é"])
def test_a_name_is_an_identifier(name):
    with pytest.raises(ValidationError, match="name"):
        Linear(name=name)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_says_what_it_does_and_where_it_is_from(layer):
    assert layer.summary.endswith(".")
    assert layer.formula
    assert layer.source


@pytest.mark.parametrize("layer", LAYERS)
def test_a_stack_of_a_layer_computes_what_its_plain_module_computes(layer):
    spec = layer(features=3) if layer is Linear else layer()
    shapes = spec.parameter_shapes((5,))
    parameters = {name: torch.randn(2, *shape, dtype=torch.float64) for name, shape in shapes.items()}
    x = torch.randn(2, 7, 5, dtype=torch.float64)

    stacked = spec.forward(x, parameters, LayerContext(spec.kind, training=False, members=[spec, spec], seeds=[0, 1]))

    for k in range(2):
        module = spec.module((5,)).double().eval()
        module.load_state_dict({name: value[k] for name, value in parameters.items()})
        torch.testing.assert_close(stacked[k], module(x[k]))
    assert stacked.shape[2:] == spec.output_shape((5,))
