import math

import pytest
import torch
from pydantic import ValidationError

from regcore.at import At
from regcore.layers import Dropout
from regcore.layers.forward import ForwardPass, bind
from regcore.shapes import RowInfo


def apply(x, p, *, seeds=None, training=True, step=0):
    members = [Dropout(p=each) for each in p]
    seeds = list(range(len(p))) if seeds is None else seeds
    nodes = bind([[member] for member in members], RowInfo(tuple(x.shape[2:])))
    return ForwardPass({}, At(step, 1, 10, seeds=tuple(seeds), training=training)).run(nodes, x)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_the_share_dropped_is_p_and_the_mean_stays(p):
    x = torch.ones(1, 400, 250, dtype=torch.float64)

    y = apply(x, [p])

    error = math.sqrt(p * (1 - p) / x.numel())
    assert (y == 0).double().mean().item() == pytest.approx(p, abs=4 * error)
    assert y.mean().item() == pytest.approx(1, abs=4 * error / (1 - p))
    assert y.var().item() == pytest.approx(p / (1 - p), rel=0.05)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_what_is_kept_is_scaled_by_one_over_one_minus_p(p):
    x = torch.randn(1, 20, 30, dtype=torch.float64)

    y = apply(x, [p])

    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / (1 - p))


def test_evaluation_is_the_identity():
    x = torch.randn(2, 5, 3)

    assert torch.equal(apply(x, [0.5, 0.5], training=False), x)


def test_nothing_is_dropped_at_p_0():
    x = torch.randn(1, 5, 3)

    assert torch.equal(apply(x, [0.0]), x)


def test_almost_everything_is_dropped_at_the_largest_p_below_1():
    x = torch.ones(1, 50, 3, dtype=torch.float64)

    assert torch.count_nonzero(apply(x, [math.nextafter(1, 0)])) == 0


def test_a_smaller_p_keeps_what_a_larger_one_keeps():
    x = torch.ones(1, 20, 7)

    low, high = (apply(x, [p]) != 0 for p in (0.3, 0.6))

    assert (low | ~high).all()


def test_a_members_masks_do_not_depend_on_the_other_members():
    x = torch.ones(1, 10, 10)

    together = apply(x.expand(3, -1, -1), [0.2, 0.5, 0.5], seeds=[7, 8, 9])

    for k, (p, seed) in enumerate([(0.2, 7), (0.5, 8), (0.5, 9)]):
        assert torch.equal(together[k], apply(x, [p], seeds=[seed])[0])


def test_masks_of_two_members_are_independent():
    y = apply(torch.ones(2, 400, 250, dtype=torch.float64), [0.5, 0.5])

    correlation = torch.corrcoef(y.flatten(1))[0, 1].item()
    assert abs(correlation) < 4 / math.sqrt(100_000)


def test_masks_of_two_steps_are_independent():
    x = torch.ones(1, 400, 250, dtype=torch.float64)

    both = torch.stack([apply(x, [0.5], step=step).flatten() for step in (0, 1)])

    assert abs(torch.corrcoef(both)[0, 1].item()) < 4 / math.sqrt(100_000)


def test_members_may_share_their_rows():
    assert apply(torch.ones(1, 4, 3), [0.5, 0.5]).shape == (2, 4, 3)


@pytest.mark.parametrize("p", [-0.1, 1, 1.1])
def test_p_is_from_0_to_below_1(p):
    with pytest.raises(ValidationError, match="p"):
        Dropout(p=p)
