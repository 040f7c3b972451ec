import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regcore import make_plan, train
from regcore.layers import GlobalPool, Lstm
from regcore.shapes import RowInfo

STEPS = RowInfo((9, 4), varies=True)
LENGTHS = torch.tensor([9, 1, 5, 3])


def twin_of(layer):
    """torch's own, with the same weights."""
    module = layer.module(STEPS).double()
    twin = nn.LSTM(4, layer.hidden, layer.num_layers, batch_first=True, bidirectional=layer.bidirectional).double()
    twin.load_state_dict(module.state_dict())
    return module, twin


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padded_rows_give_what_torch_gives_for_packed_ones(num_layers, bidirectional):
    module, twin = twin_of(Lstm(hidden=3, num_layers=num_layers, bidirectional=bidirectional))
    x = torch.randn(4, *STEPS.shape, dtype=torch.float64)

    outputs = module(x, LENGTHS)

    packed, _ = twin(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(module(x), twin(x)[0])


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_begins_as_torchs_does(num_layers, bidirectional):
    """With values of the same law: uniform within ±1/√hidden, in tensors of the same names and shapes."""
    layer = Lstm(hidden=4, num_layers=num_layers, bidirectional=bidirectional)

    infos = {info.name: info for info in layer.tensors(STEPS)}

    theirs = dict(nn.LSTM(4, 4, num_layers, bidirectional=bidirectional).named_parameters())
    assert list(infos) == list(theirs)
    for name, tensor in theirs.items():
        assert infos[name].shape == tuple(tensor.shape)
        assert infos[name].first == ("uniform", 0.5)
        assert tensor.abs().max() <= 0.5


def test_regularizers_see_its_matrices_as_weights_and_its_biases_as_none(make_job):
    model = {"kind": "layers", "layers": [{"kind": "lstm", "hidden": 3}, {"kind": "global_pool"}, {"kind": "linear"}]}

    plan = make_plan(make_job(model=model, regularizers=[{"kind": "l2", "strength": 0.1}]))

    assert plan.regularizers[0].parameters == ["lstm1.weight_ih_l0", "lstm1.weight_hh_l0", "head.weight"]


def test_it_reads_an_image_as_the_sequence_of_its_rows(make_job):
    layers = [{"kind": "lstm", "hidden": 3}, {"kind": "global_pool", "method": "last"}, {"kind": "linear"}]

    result = train(make_job(model={"kind": "layers", "layers": layers}))

    assert result.plan.layer_names == ["image_rows1", "lstm1", "global_pool1", "head"]
    state = result.model.state_dict()
    cell = nn.LSTM(8, 3, batch_first=True)
    cell.load_state_dict({name.removeprefix("lstm1."): value for name, value in state.items() if "lstm1" in name})
    images = result.data.test.x
    _, (last, _) = cell(images[:, 0])
    torch.testing.assert_close(result.model(images), last[0] @ state["head.weight"].T + state["head.bias"])


@pytest.mark.parametrize(("method", "blind"), [("last", "backward"), ("first", "forward"), ("mean", None)])
def test_a_step_that_one_direction_does_not_know_is_doubted(method, blind):
    doubts = list(Lstm(hidden=3, bidirectional=True).doubts_before(GlobalPool(method=method)))

    assert [blind in doubt.message for doubt in doubts] == [True] * (blind is not None)
    assert not list(Lstm(hidden=3).doubts_before(GlobalPool(method=method)))


def test_other_rows_are_refused():
    with pytest.raises(ValueError, match=r"lstm expects \(steps, features\); it gets \(13,\)"):
        Lstm(hidden=3).output(RowInfo((13,)))
