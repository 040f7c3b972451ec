import math

import pytest
import torch

from regcore.at import At
from regcore.layers.drop_path import DropPath
from regcore.layers.forward import ForwardPass, bind
from regcore.modules import DropPath as DropPathModule
from regcore.shapes import RowInfo


def dropped(x, chances, *, seeds=None, training=True):
    """x (K, B, ...) behind the layer, each member with its own chance."""
    nodes = bind([[DropPath(p=p)] for p in chances], RowInfo(tuple(x.shape[2:])))
    at = At(3, 10, 10, tuple(seeds or range(len(chances))), training)
    return ForwardPass({}, at).run(nodes, x)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_a_row_is_dropped_as_a_whole_with_its_chance_and_the_mean_stays(p):
    x = torch.ones(1, 20_000, 2, 3, dtype=torch.float64)

    y = dropped(x, [p])

    rows = y.flatten(2)
    assert torch.equal(rows, rows[..., :1].expand_as(rows))
    error = math.sqrt(p * (1 - p) / rows.shape[1])
    assert (rows[..., 0] == 0).double().mean().item() == pytest.approx(p, abs=4 * error)
    assert y.mean().item() == pytest.approx(1, abs=4 * error / (1 - p))


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3), (1, 5, 3, 2, 2)])
def test_each_member_is_as_alone_with_its_chance_and_seed(shape):
    x = torch.randn(shape, dtype=torch.float64)
    rows = x.expand(2, *shape[1:])

    together = dropped(x, [0.2, 0.7], seeds=[5, 9])

    assert torch.equal(together[0], dropped(rows[:1], [0.2], seeds=[5])[0])
    assert torch.equal(together[1], dropped(rows[1:], [0.7], seeds=[9])[0])


@pytest.mark.parametrize(("chances", "training"), [([0.0, 0.0], True), ([0.5, 0.9], False), ([0.0, 0.5], True)])
def test_a_chance_of_zero_and_evaluation_are_the_identity(chances, training):
    x = torch.randn(2, 7, 3)

    assert torch.equal(dropped(x, chances, training=training)[0], x[0])


@pytest.mark.parametrize("p", [0.0, 0.4])
def test_its_module_is_the_same_law(p):
    """A kept row is the same to the last bit as torchvision's `stochastic_depth` has it: x/(1 − p)."""
    module = DropPathModule(p)
    x = torch.randn(500, 3, 2)

    with torch.random.fork_rng():
        torch.manual_seed(0)
        y = module.train()(x)

    kept = y.flatten(1).any(1)
    torch.testing.assert_close(y[kept], x[kept] / (1 - p))
    assert kept.float().mean().item() == pytest.approx(1 - p, abs=4 * math.sqrt(p * (1 - p) / 500))
    assert torch.equal(module.eval()(x), x)
