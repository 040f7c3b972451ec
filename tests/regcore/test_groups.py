import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from regcore.groups import axes_of, axes_within, project_groups_, shrink_groups_, sums_of_group_norms
from regcore.shapes import TensorInfo


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shrunk_group(w, r, t):
    """The minimum of Σ (u − w)²/(2r) + t‖u‖, by bisection on the norm of u."""
    if np.linalg.norm(w / r) <= t:
        return np.zeros_like(w)
    norm = brentq(lambda n: np.linalg.norm(w / (n + t * r)) - 1, 0, np.linalg.norm(w), xtol=1e-300, rtol=1e-15)
    return w * norm / (norm + t * r)


def spread_reach(shape, decades):
    return 10 ** (torch.rand(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * decades - 3)


@pytest.mark.parametrize("decades", [0.0, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("share", [0.03, 0.3, 0.9])
def test_groups_whose_weights_reach_differently_far_shrink_to_the_minimum_in_that_metric(decades, share):
    weight = random(1, 40, 25)
    reach = spread_reach(weight.shape, decades)
    # Half of the groups are above the share of what they need to vanish, so that some do and some do not.
    strength = share * float((weight / reach).norm(dim=2).median()) / 5
    expected = [shrunk_group(w, r, strength * 5) for w, r in zip(weight[0].numpy(), reach[0].numpy(), strict=True)]

    shrink_groups_(weight, [strength], reach, [2])

    torch.testing.assert_close(weight[0], torch.from_numpy(np.stack(expected)), rtol=1e-7, atol=1e-9)


def test_a_reach_that_is_equal_everywhere_is_one_number():
    one, each = random(2, 6, 5), random(2, 6, 5)
    reach = torch.tensor([0.1, 0.3], dtype=torch.float64).view(2, 1, 1).expand(2, 6, 5)

    shrink_groups_(one, [1.0, 2.0], [0.1, 0.3], [1])
    shrink_groups_(each, [1.0, 2.0], reach, [1])

    torch.testing.assert_close(one, each)
    assert not torch.equal(one, random(2, 6, 5))


@pytest.mark.parametrize("reach", [[0.0, 0.0], torch.zeros(2, 4, 3, dtype=torch.float64)], ids=["one", "each"])
def test_where_the_rate_is_0_nothing_shrinks(reach):
    weight = random(2, 4, 3)
    weight[0, 0] = 0
    weight[1, 1, 1] = 0
    before = weight.clone()

    shrink_groups_(weight, [5.0, 5.0], reach, [2])

    assert torch.equal(weight, before)


@pytest.mark.parametrize("kind", ["number", "tensor"])
def test_members_too_large_to_be_handled_at_once_shrink_as_they_do_alone(kind):
    weight = random(3, 128, 150).float()
    before, strengths, numbers = weight.clone(), [1e-3, 0.0, 3e-2], [0.1, 0.2, 0.3]
    reach = numbers if kind == "number" else spread_reach(weight.shape, 1.0).float()

    shrink_groups_(weight, strengths, reach, [2])

    for k in range(3):
        alone = before[k : k + 1].clone()
        shrink_groups_(alone, strengths[k : k + 1], reach[k : k + 1], [2])
        torch.testing.assert_close(weight[k : k + 1], alone, rtol=1e-6, atol=1e-8)
        assert torch.equal(weight[k : k + 1] == 0, alone == 0)
    assert torch.equal(weight[1], before[1])


def test_a_bias_is_a_group_for_each_unit():
    bias = torch.tensor([[0.5, -0.1, -3.0]], dtype=torch.float64)

    shrink_groups_(bias, [1.0], torch.full_like(bias, 0.2), [])

    torch.testing.assert_close(bias, torch.tensor([[0.3, 0.0, -2.8]], dtype=torch.float64))


def test_a_group_outside_its_ball_is_put_on_its_rim_and_stays_there_to_the_bit():
    weight = random(2, 50, 7).float() * 3
    project_groups_(weight, [1.0, 5.0], [2])
    once = weight.clone()

    project_groups_(weight, [1.0, 5.0], [2])

    assert torch.equal(weight, once)
    assert (weight.norm(dim=2) <= torch.tensor([[1.0], [5.0]])).all()


def test_a_group_inside_its_ball_keeps_its_bits():
    weight = torch.tensor([[[3.0, 4.0], [0.1, 0.2], [6.0, 8.0]]])

    project_groups_(weight, [5.0], [2])

    assert torch.equal(weight[0, :2], torch.tensor([[3.0, 4.0], [0.1, 0.2]]))
    torch.testing.assert_close(weight[0, 2], torch.tensor([3.0, 4.0]))


def test_the_sum_of_norms_counts_the_size_of_groups():
    weights = [random(2, 4, 3), random(2, 5, seed=1)]

    sums = sums_of_group_norms(weights, [[1], []])

    arrays = [weight.numpy() for weight in weights]
    expected = [2 * np.linalg.norm(w, axis=0).sum() + np.abs(b).sum() for w, b in zip(*arrays, strict=True)]
    assert sums.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("shape", "axes", "along", "within"),
    [
        ((4, 3), "oi", "o", [2]),
        ((4, 3), "oi", "i", [1]),
        ((4, 3, 2, 2), "oikk", "o", [2, 3, 4]),
        ((3, 4, 2, 2), "iokk", "o", [1, 3, 4]),
        ((4,), "o", "o", []),
        ((4, 3, 2, 2), "", "i", [1, 3, 4]),
    ],
)
def test_groups_lie_along_the_axis_that_the_layer_names(shape, axes, along, within):
    info = TensorInfo("layer.weight", shape, axes=axes)

    assert axes_within(info, along) == within
    assert len(axes_of(info)) == len(shape)
