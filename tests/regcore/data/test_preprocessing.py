from types import SimpleNamespace

import numpy as np
import pytest

from regcore.data.load import load
from regcore.data.preprocessing import fit_target_scaling
from regcore.data.scaling import mean_and_scale

WINE = load(SimpleNamespace(kind="builtin", name="wine"))


@pytest.mark.parametrize("target", [14.62, 1e9 + 0.1, 0.0])
@pytest.mark.parametrize("num_rows", [1, 113, 100_000])
def test_constant_targets_are_only_moved(target, num_rows):
    fitted = fit_target_scaling(np.full(num_rows, target))

    assert (fitted.mean, fitted.scale) == (target, 1)


def test_targets_are_scaled_and_undone():
    targets = np.array([3.7, -1.3, 0.9, 11.1])

    fitted = fit_target_scaling(targets)

    assert fitted.scaled(targets).mean() == pytest.approx(0, abs=1e-15)
    assert fitted.scaled(targets).std() == pytest.approx(1)
    np.testing.assert_allclose(fitted.undone(fitted.scaled(targets)), targets, rtol=1e-15)


@pytest.mark.parametrize(
    ("targets", "mean", "scale"),
    [
        ([1e-200, 2e-200], 1.5e-200, 5e-201),
        ([0, 1e200], 5e199, 5e199),
        ([1e308, -1e308], 0, 1e308),
        ([1e308, 1.5e308], 1.25e308, 2.5e307),
        ([1e-310, 2e-310], 1.5e-310, 5e-311),
        ([1e200, 1e200 * (1 + 1e-9)], 1e200 * (1 + 5e-10), 5e190),
        ([5e-324, 0], 0, 1),
        ([1e308] * 3, 1e308, 1),
    ],
    ids=str,
)
@pytest.mark.parametrize("repeats", [1, 1000])
def test_values_of_any_size_have_a_scale(targets, mean, scale, repeats):
    column = np.array(targets * repeats)

    fitted = fit_target_scaling(column)
    means, scales = mean_and_scale(np.tile(column[:, None], (1, 13)), axes=(0,))

    assert (fitted.mean, fitted.scale) == (pytest.approx(mean, rel=1e-12, abs=0), pytest.approx(scale, rel=1e-6, abs=0))
    assert means.tolist() == pytest.approx([mean] * 13, rel=1e-12, abs=1e-12 * scale)
    assert scales.tolist() == pytest.approx([scale] * 13, rel=1e-6, abs=0)
    assert np.abs(fitted.scaled(column)).max() == pytest.approx(0 if scale == 1 else 1, rel=1e-6)


def test_the_unit_of_a_loss_too_large_for_a_float_is_infinite():
    assert fit_target_scaling(np.array([0, 1e200])).loss_unit == np.inf


@pytest.mark.parametrize("column", range(13))
def test_the_size_of_values_changes_no_digit_of_what_they_are_scaled_to(column):
    values = WINE.x[:, column]

    scaled = [fit_target_scaling(values * 2.0**power).scaled(values * 2.0**power) for power in (-900, 0, 900)]

    assert np.array_equal(scaled[0], scaled[1])
    assert np.array_equal(scaled[2], scaled[1])
