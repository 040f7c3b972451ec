from itertools import pairwise

import pytest
from twins import read

from regcore.layers import Activation, Flatten, Linear, complete, label_layers, walk_all
from regcore.regularizers.dropout import Dropout
from regcore.shapes import RowInfo

LAYERS = [
    Flatten(),
    Linear(features=8),
    Activation(),
    Linear(features=4, name="narrow"),
    Activation(),
    Linear(features=2),
]


def rewritten(where):
    return label_layers(Dropout(p=0.25, where=where).rewrite(LAYERS))


@pytest.mark.parametrize(
    ("where", "labels"),
    [
        (
            "hidden",
            "flatten1 linear1 activation1 dropout1 narrow activation2 dropout2 head",
        ),
        ("input", "dropout1 flatten1 linear1 activation1 narrow activation2 head"),
        (["linear1"], "flatten1 linear1 dropout1 activation1 narrow activation2 head"),
        (["narrow", "activation1"], "flatten1 linear1 activation1 dropout1 narrow dropout2 activation2 head"),
        (["head"], "flatten1 linear1 activation1 narrow activation2 head dropout1"),
    ],
)
def test_layers_are_inserted_where_it_says(where, labels):
    assert rewritten(where) == labels.split()


@pytest.mark.parametrize(
    ("model", "places"),
    [
        ({"kind": "cnn", "channels": [4], "hidden": [5]}, ["activation1", "activation2"]),
        ({"kind": "rnn", "cell": "gru"}, ["gru1"]),
        ({"kind": "transformer", "depth": 1}, ["transformer_block1.residual2.activation1"]),
        ({"kind": "autoencoder", "hidden": [9]}, ["activation1", "activation2"]),
    ],
    ids=["cnn", "rnn", "transformer", "autoencoder"],
)
def test_in_short_forms_it_follows_what_gives_hidden_units(model, places):
    row = RowInfo((1, 8, 8))

    layers = Dropout(p=0.25).rewrite(complete(read(model).expand(row), row, 64))

    walked = list(walk_all(layers, row))
    found = [before for (before, *_), (_, layer, _) in pairwise(walked) if getattr(layer, "p", 0) == 0.25]
    assert found == places


def test_the_inserted_layers_have_its_p():
    layers = Dropout(p=0.25).rewrite(LAYERS)

    assert [layer.p for layer in layers if layer.kind == "dropout"] == [0.25, 0.25]


def test_the_other_layers_stay_as_they_are():
    layers = Dropout(p=0.25).rewrite(LAYERS)

    assert [layer for layer in layers if layer.kind != "dropout"] == LAYERS


@pytest.mark.parametrize("where", [["linear9"], ["linear1", "linear9"], []])
def test_a_place_that_is_not_there_is_refused_with_those_that_are(where):
    with pytest.raises(ValueError, match=r"linear1, activation1, narrow, activation2, head") as caught:
        rewritten(where)

    assert str(where) in str(caught.value)


def test_a_model_without_hidden_layers_is_told_of_the_input():
    with pytest.raises(ValueError, match='Use where="input"'):
        Dropout(p=0.25).rewrite([Linear(features=2)])


def test_all_it_does_is_surgery():
    assert Dropout.bind([Dropout(p=0.25)], None) is None


@pytest.mark.parametrize("p", [-0.1, 1])
def test_p_is_from_0_to_below_1(p):
    with pytest.raises(ValueError, match="p"):
        Dropout(p=p)
