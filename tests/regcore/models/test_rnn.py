import pytest
import torch
from torch import nn
from twins import assert_same, built, with_weights

from regcore.models.rnn import RNNModel
from regcore.shapes import RowInfo

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}
ROWS = {
    "images": RowInfo((2, 8, 3)),
    "numbers": RowInfo((8, 6)),
    "numbers of varying length": RowInfo((8, 6), varies=True),
    "text": RowInfo((8,), tokens=9, varies=True),
}


class Twin(nn.Module):
    """As people write it."""

    def __init__(self, cell, pooling, *, bidirectional, num_layers=1, embedding=None):
        super().__init__()
        self.embedding = embedding
        self.cell = cell(6, 4, num_layers, bidirectional=bidirectional, batch_first=True)
        self.head = nn.Linear(8 if bidirectional else 4, 3)
        self.pooling = pooling

    def forward(self, x):
        x = x if self.embedding is None else self.embedding(x)
        x = x.permute(0, 2, 1, 3).flatten(2) if x.dim() == 4 else x
        steps, last = self.cell(x)
        last = last[0] if isinstance(last, tuple) else last
        if self.pooling != "last":
            return self.head(steps.mean(1) if self.pooling == "mean" else steps.amax(1))
        return self.head(torch.cat([last[-2], last[-1]], dim=1) if self.cell.bidirectional else last[-1])


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(
    ("cell", "pooling", "bidirectional"),
    [("lstm", "last", False), ("lstm", "last", True), ("gru", "mean", True), ("elman", "max", False)],
)
def test_it_is_the_network_written_by_hand(rows, cell, pooling, bidirectional):
    row, fields = ROWS[rows], {"cell": cell, "pooling": pooling, "bidirectional": bidirectional}
    network = built({"kind": "rnn", "hidden": 4, "embedding": 6} | fields, row)
    embedding = None if row.tokens is None else nn.Embedding(9, 6)
    twin = Twin(CELLS[cell], pooling, bidirectional=bidirectional, embedding=embedding)

    assert_same(network, with_weights(twin, network), row)


def test_layers_stand_one_above_the_other():
    row = ROWS["numbers"]
    network = built({"kind": "rnn", "hidden": 4, "num_layers": 2, "bidirectional": True}, row)
    twin = Twin(nn.LSTM, "last", bidirectional=True, num_layers=2)

    assert_same(network, with_weights(twin, network), row)


def test_a_table_is_refused():
    with pytest.raises(ValueError, match=r"rnn expects images, .*; it gets \(13,\) from the rows"):
        RNNModel().expand(RowInfo((13,)))
