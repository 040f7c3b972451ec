import pytest
from pydantic import ValidationError
from torch import nn
from twins import assert_same, built

from regcore.models.transformer import TransformerModel
from regcore.shapes import RowInfo

ROWS = {
    "images": RowInfo((2, 8, 3)),
    "numbers": RowInfo((8, 6)),
    "numbers of varying length": RowInfo((8, 6), varies=True),
    "text": RowInfo((8,), tokens=9, varies=True),
}
SMALL = {"kind": "transformer", "width": 8, "depth": 2, "heads": 2, "feedforward": 5}
BLOCK = {
    "residual1.layer_norm1": "norm1",
    "residual1.attention1": "self_attn",
    "residual2.layer_norm1": "norm2",
    "residual2.linear1": "linear1",
    "residual2.linear2": "linear2",
}
"""Names inside a block, and torch's."""
NAMES = {
    **{
        f"transformer_block{k + 1}.{ours}.": f"encoder.layers.{k}.{theirs}."
        for k in range(2)
        for ours, theirs in BLOCK.items()
    },
    "embedding1.": "embedding.",
    "linear1.": "embedding.",
    "position1.": "places.",
    "layer_norm1.": "encoder.norm.",
    "head.": "head.",
}


class Twin(nn.Module):
    """As people write it: torch's own encoder, normalization first."""

    def __init__(self, embedding, pooling):
        super().__init__()
        self.embedding, self.places = embedding, nn.Embedding(8, 8)
        block = nn.TransformerEncoderLayer(8, 2, 5, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(block, 2, nn.LayerNorm(8), enable_nested_tensor=False)
        self.head = nn.Linear(8, 3)
        self.pooling = pooling

    def forward(self, x):
        x = x.permute(0, 2, 1, 3).flatten(2) if x.dim() == 4 else x
        x = self.embedding(x)
        steps = self.encoder(x + self.places.weight[: x.shape[1]])
        return self.head(steps.mean(1) if self.pooling == "mean" else steps[:, 0])


def theirs_of(name):
    """torch's name: its block holds normalizations last, so that the order is another."""
    ours = next(ours for ours in NAMES if name.startswith(ours))
    return NAMES[ours] + name.removeprefix(ours)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_it_is_the_network_written_by_hand(rows, pooling):
    row = ROWS[rows]
    network = built(SMALL | {"pooling": pooling}, row)
    twin = Twin(nn.Linear(6, 8) if row.tokens is None else nn.Embedding(9, 8), pooling)

    twin.load_state_dict({theirs_of(name): value for name, value in network.state_dict().items()})

    assert_same(network, twin.double().eval(), row)


def test_a_table_is_refused():
    with pytest.raises(ValueError, match=r"transformer expects images, .*; it gets \(13,\) from the rows"):
        TransformerModel().expand(RowInfo((13,)))


def test_heads_divide_the_width():
    with pytest.raises(ValidationError, match="width must be a multiple of heads; received width=10, heads=4"):
        TransformerModel(width=10)
