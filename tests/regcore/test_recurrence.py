import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from regcore import recurrence

LENGTHS = torch.tensor([9, 1, 5, 3])
KINDS = {
    "lstm": (recurrence.Lstm, nn.LSTM, {}),
    "gru": (recurrence.Gru, nn.GRU, {}),
    "elman": (recurrence.Elman, nn.RNN, {}),
    "elman, relu": (recurrence.Elman, nn.RNN, {"nonlinearity": "relu"}),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padded_rows_give_what_torch_gives_for_packed_ones(kind, num_layers, bidirectional):
    ours, theirs, fields = KINDS[kind]
    fields = fields | {"batch_first": True, "bidirectional": bidirectional}
    module, twin = (one(4, 3, num_layers, **fields).double() for one in (ours, theirs))
    twin.load_state_dict(module.state_dict())
    x = torch.randn(4, 9, 4, dtype=torch.float64)

    outputs = module(x, LENGTHS)

    packed, _ = twin(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(module(x), twin(x)[0])
