from torch import nn
from twins import assert_same, built, with_weights

from regcore.models import LinearModel
from regcore.shapes import RowInfo


def test_it_is_one_layer_with_the_tasks_outputs():
    assert [layer.model_dump(exclude_defaults=True) for layer in LinearModel().expand(RowInfo((3,)))] == [{}]


def test_it_may_have_no_intercept():
    (layer,) = LinearModel(bias=False).expand(RowInfo((3,)))

    assert not layer.bias


def test_of_text_it_is_a_linear_layer_on_the_mean_of_vectors():
    row = RowInfo((7,), tokens=9, varies=True)
    network = built({"kind": "linear"}, row)
    twin = nn.Sequential(nn.EmbeddingBag(9, 64, mode="mean"), nn.Linear(64, 3))

    assert_same(network, with_weights(twin, network), row)
