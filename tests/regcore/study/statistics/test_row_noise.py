import math

import numpy as np
import pytest

from regcore.intervals import bootstrap
from regcore.study.statistics.row_noise import is_right_or_wrong, separate_row_noise, shared_row_noise


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def _variance(parts):
    return sum(part.variance for part in parts)


def test_between_trained_networks_it_is_the_paired_bootstraps(rng):
    hard = rng.exponential(size=300)
    baseline, group = hard + rng.normal(size=(3, 300)), hard + rng.normal(size=(3, 300))
    columns = np.stack([baseline.mean(0), group.mean(0)], axis=1)
    resampled = bootstrap(columns, lambda means: means[:, 1] - means[:, 0], seed=0)

    noise = shared_row_noise(baseline, group, paired=True)

    assert math.sqrt(_variance(noise.fixed)) == pytest.approx(resampled.std(), rel=0.08)


def test_what_rows_have_in_common_cancels_only_where_they_are_shared(rng):
    hard = 100 * rng.normal(size=(1, 50))
    baseline, group = hard + rng.normal(size=(2, 50)), hard + rng.normal(size=(2, 50))

    shared, separate = shared_row_noise(baseline, group, paired=True), separate_row_noise(baseline, group)

    assert _variance(shared.fixed) < 0.1 < 100 < _variance(separate.fixed)
    assert [part.degrees_of_freedom for part in shared.fixed] == [49]


@pytest.mark.parametrize("paired", [True, False])
def test_beside_the_seeds_only_the_rows_own_variance_is_left(rng, paired):
    """Over many draws: with σ_b² = 0.25 on 40 rows, 0.25 / 40, however large the interaction."""
    measured = []
    for _ in range(1500):
        own = rng.normal(scale=0.5, size=40)
        baseline, group = rng.normal(size=(3, 40)), own + rng.normal(size=(3, 40))
        measured.append(_variance(shared_row_noise(baseline, group, paired=paired).beside_seeds))

    # Below zero it is cut off, which biases it up a little.
    assert np.mean(measured) == pytest.approx(0.25 / 40, rel=0.2)


def test_a_single_member_leaves_the_interaction_in(rng):
    noise = shared_row_noise(rng.normal(size=(1, 30)), rng.normal(size=(1, 30)), paired=True)

    assert _variance(noise.beside_seeds) == _variance(noise.fixed) > 0


def test_accuracies_that_count_alike_keep_a_variance():
    right = np.ones((2, 98))

    assert _variance(shared_row_noise(right, right, paired=True).fixed) == pytest.approx(2 / 100**2)
    assert _variance(separate_row_noise(right, right).fixed) == pytest.approx(2 / 100**2)


def test_losses_that_are_equal_have_none():
    losses = np.full((2, 98), 0.5)

    assert _variance(shared_row_noise(losses, losses, paired=True).fixed) == 0


def test_one_row_tells_nothing():
    assert shared_row_noise(np.ones((2, 1)), np.ones((2, 1)), paired=True) is None
    assert separate_row_noise(np.ones((2, 1)), np.ones((2, 5))) is None


def test_hits_are_told_from_losses():
    assert is_right_or_wrong(np.array([0.0, 1.0]))
    assert not is_right_or_wrong(np.array([0.0, 1.0, 0.5]))
