import pytest
import torch

from regcore.layers import Activation, Dropout, Flatten, Linear, build_module, complete, label_layers, walk
from regcore.shapes import RowInfo


def test_the_last_linear_gets_the_tasks_outputs():
    layers = complete([Linear(features=4), Linear()], RowInfo((3,)), 10)

    assert [layer.features for layer in layers] == [4, 10]


def test_the_last_linear_may_say_its_outputs():
    assert complete([Linear(features=7)], RowInfo((3,)), 10)[-1].features == 7


def test_a_linear_that_sees_more_than_a_vector_is_given_a_flatten():
    layers = complete([Linear(features=4), Activation(), Linear()], RowInfo((1, 8, 8)), 10)

    assert [layer.kind for layer in layers] == ["flatten", "linear", "activation", "linear"]


def test_a_flatten_that_is_there_is_enough():
    assert [layer.kind for layer in complete([Flatten(), Linear()], RowInfo((1, 8, 8)), 10)] == ["flatten", "linear"]


def test_a_linear_without_outputs_before_the_last_is_refused():
    with pytest.raises(ValueError, match="only if it is the model's last layer"):
        complete([Linear(), Linear()], RowInfo((3,)), 10)


@pytest.mark.parametrize(
    ("layers", "labels"),
    [
        ([Linear()], ["head"]),
        ([Linear(features=4), Activation(), Linear()], ["linear1", "activation1", "head"]),
        ([Linear(features=4), Linear(features=4), Linear()], ["linear1", "linear2", "head"]),
        ([Linear(features=4, name="first"), Linear(features=4), Linear()], ["first", "linear2", "head"]),
        ([Linear(features=4), Linear(name="logits")], ["linear1", "logits"]),
        ([Dropout(), Linear(features=4), Dropout(), Linear()], ["dropout1", "linear1", "dropout2", "head"]),
        ([Linear(features=4), Linear(features=2), Dropout()], ["linear1", "head", "dropout1"]),
        ([Flatten()], ["flatten1"]),
    ],
)
def test_a_layer_is_called_by_its_name_or_its_kind_and_ordinal_and_the_output_head(layers, labels):
    assert label_layers(layers) == labels


def test_each_layer_sees_what_the_one_before_it_gives():
    layers = [Flatten(), Linear(features=4), Activation(), Linear(features=2)]

    seen = [(label, row.shape) for label, _, row in walk(layers, RowInfo((1, 2, 3)))]

    assert seen == [("flatten1", (1, 2, 3)), ("linear1", (6,)), ("activation1", (4,)), ("head", (4,))]


def test_the_plain_module_has_the_plans_parameter_names_and_runs_the_layers_in_order():
    layers = [Flatten(), Linear(features=4), Activation(name="tanh"), Dropout(), Linear(features=2)]
    module = build_module(layers, RowInfo((1, 2, 3))).eval()
    x = torch.randn(5, 1, 2, 3)

    y = module(x)

    state = module.state_dict()
    assert list(state) == ["linear1.weight", "linear1.bias", "head.weight", "head.bias"]
    hidden = torch.tanh(x.reshape(5, 6) @ state["linear1.weight"].T + state["linear1.bias"])
    torch.testing.assert_close(y, hidden @ state["head.weight"].T + state["head.bias"])
