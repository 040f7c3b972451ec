"""Networks written by hand in torch, with the weights of the same ones built from a spec."""

from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from regcore.layers import build_module, complete, tensors_of
from regcore.shapes import RowInfo
from regcore.spec.kinds import AnyModel

read = TypeAdapter(AnyModel).validate_python

NUM_ROWS = 5
NUM_OUTPUTS = 3


def built(model: dict[str, Any], row: RowInfo, num_outputs: int = NUM_OUTPUTS) -> nn.Module:
    """The network of a model, in evaluation, with drawn values for all that it holds."""
    layers = complete(read(model).expand(row), row, num_outputs)
    network = build_module(layers, row).double().eval()
    state = network.state_dict()
    assert {info.name for info in tensors_of(layers, row)} == set(state)
    with torch.no_grad():
        for name, tensor in state.items():
            if tensor.is_floating_point():
                drawn = torch.rand_like(tensor) + 0.5 if name.endswith("running_var") else torch.randn_like(tensor) / 3
                tensor.copy_(drawn)
    return network


def with_weights(twin: nn.Module, network: nn.Module) -> nn.Module:
    """The twin with the network's values, which it holds in the same order."""
    values = network.state_dict().values()
    twin.load_state_dict(dict(zip(twin.state_dict(), values, strict=True)))
    return twin.double().eval()


def rows_of(row: RowInfo) -> tuple[Tensor, Tensor | None]:
    """Rows of this kind, and their lengths if they vary; the longest is as long as it may be."""
    lengths = torch.arange(row.shape[0], row.shape[0] - NUM_ROWS, -1) if row.varies else None
    if row.tokens is not None:
        return torch.randint(1, row.tokens, (NUM_ROWS, *row.shape)), lengths
    return torch.randn(NUM_ROWS, *row.shape, dtype=torch.float64), lengths


def assert_same(network: nn.Module, twin: nn.Module, row: RowInfo) -> None:
    """Outputs to 1e-6, of each row alone where lengths vary: a twin knows no padding."""
    x, lengths = rows_of(row)
    if lengths is None:
        torch.testing.assert_close(network(x), twin(x), rtol=1e-6, atol=1e-6)
        return
    alone = torch.cat([twin(one[:length].unsqueeze(0)) for one, length in zip(x, lengths.tolist(), strict=True)])
    torch.testing.assert_close(network(x, lengths), alone, rtol=1e-6, atol=1e-6)
