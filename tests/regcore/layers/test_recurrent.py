"""What holds for every recurrent layer; the LSTM's own test has what each of them shares with it."""

import pytest
from torch import nn

from regcore.layers import Elman, GlobalPool, Gru, Lstm
from regcore.layers.recurrent import Recurrent
from regcore.shapes import RowInfo

STEPS = RowInfo((9, 4), varies=True)
TWINS = {Lstm: nn.LSTM, Gru: nn.GRU, Elman: nn.RNN}


def test_every_recurrent_layer_is_compared_with_torchs():
    assert set(Recurrent.__subclasses__()) == set(TWINS)


@pytest.mark.parametrize("layer", TWINS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_begins_as_torchs_does(layer, bidirectional):
    """With values of the same law: uniform within ±1/√hidden, in tensors of the same names and shapes."""
    infos = {info.name: info for info in layer(hidden=4, num_layers=2, bidirectional=bidirectional).tensors(STEPS)}

    theirs = dict(TWINS[layer](4, 4, 2, bidirectional=bidirectional).named_parameters())
    assert list(infos) == list(theirs)
    for name, tensor in theirs.items():
        assert infos[name].shape == tuple(tensor.shape)
        assert infos[name].first == ("uniform", 0.5)
        assert tensor.abs().max() <= 0.5


@pytest.mark.parametrize("layer", TWINS)
def test_the_doubt_about_a_blind_direction_has_a_way_out(layer):
    both = layer(hidden=3, bidirectional=True)

    (doubt,) = both.doubts_before(GlobalPool(method="last"))

    assert "Pool by ends" in doubt.remedy
    assert not list(both.doubts_before(GlobalPool(method="ends")))
