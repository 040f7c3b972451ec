import pytest
import torch
from torch import nn

from regcore.layers import LayerNorm
from regcore.shapes import RowInfo


@pytest.mark.parametrize(
    ("shape", "over", "axes"),
    [((7,), (7,), "o"), ((5, 4), (4,), "o"), ((3, 4, 5), (3, 4, 5), "okk")],
    ids=["table", "sequence", "image"],
)
def test_it_is_over_a_tables_row_a_sequences_step_or_a_whole_image(shape, over, axes):
    layer, seen = LayerNorm(eps=0.01), RowInfo(shape)
    module, x = layer.module(seen).double(), torch.randn(2, *shape, dtype=torch.float64)
    with torch.no_grad():
        for tensor in module.parameters():
            tensor.normal_()

    means = x.mean(tuple(range(-len(over), 0)), keepdim=True)
    spread = (x - means).square().mean(tuple(range(-len(over), 0)), keepdim=True)

    expected = module.weight * (x - means) / (spread + 0.01).sqrt() + module.bias
    torch.testing.assert_close(module(x), expected)
    assert isinstance(module, nn.LayerNorm)
    assert [(info.shape, info.role, info.axes) for info in layer.tensors(seen)] == [(over, "norm", axes)] * 2
