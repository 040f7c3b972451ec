"""What holds for every module over sequences: padding changes nothing."""

import pytest
import torch

from regcore.layers import build_module, complete
from regcore.shapes import RowInfo
from regcore.spec import parse_spec

EMBEDDING = {"kind": "embedding", "features": 4}
NETWORKS = {
    "lstm": [{"kind": "lstm", "hidden": 3, "num_layers": 2}, {"kind": "global_pool", "method": "last"}],
    "bidirectional lstm": [
        {"kind": "lstm", "hidden": 3, "num_layers": 2, "bidirectional": True},
        {"kind": "global_pool", "method": "max"},
    ],
    "transformer": [
        {"kind": "position"},
        {"kind": "transformer_block", "num_heads": 2},
        {"kind": "transformer_block", "num_heads": 1, "norm_first": False},
        {"kind": "global_pool", "method": "mean"},
    ],
    "attention": [
        {"kind": "position", "method": "sinusoidal"},
        {"kind": "attention", "num_heads": 2},
        {"kind": "layer_norm"},
        {"kind": "linear", "features": 5, "per_step": True},
        {"kind": "global_pool", "method": "first"},
    ],
}
NINE_STEPS = RowInfo((9,), tokens=6, varies=True)


def network_of(name):
    layers = [EMBEDDING, *NETWORKS[name], {"kind": "linear"}]
    model = parse_spec({"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "layers", "layers": layers}})
    completed = complete(model.model.expand(NINE_STEPS), NINE_STEPS, 3)
    return build_module(completed, NINE_STEPS).double().eval()


def padded(rows, num_steps, padding=0):
    return torch.tensor([row + [padding] * (num_steps - len(row)) for row in rows])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_rows_outputs_do_not_depend_on_how_much_it_is_padded_or_with_what(name):
    rows = [[3, 1, 4, 1, 5], [2], [5, 5, 3]]
    lengths = torch.tensor([len(row) for row in rows])
    network = network_of(name)

    outputs = network(padded(rows, 5), lengths)

    for num_steps, padding in [(9, 0), (9, 2), (5, 4)]:
        torch.testing.assert_close(network(padded(rows, num_steps, padding), lengths), outputs)
    for row, expected in zip(rows, outputs, strict=True):
        torch.testing.assert_close(network(torch.tensor([row]))[0], expected)
