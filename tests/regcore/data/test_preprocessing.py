import json
import statistics
from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from regcore.data.catalogue import BUILTIN
from regcore.data.load import load
from regcore.data.preprocessing import Preprocessing, fit_preprocessing, fit_target_scaling

WINE = load(SimpleNamespace(kind="builtin", name="wine"))
DIGITS = load(SimpleNamespace(kind="builtin", name="digits"))


def test_tables_are_standardized_as_scikit_learn_does():
    train, others = WINE.x[:100], WINE.x[100:]

    fitted = fit_preprocessing(WINE.info, train, image_maximum=None, standardize=None)

    np.testing.assert_allclose(fitted.standardize(others), StandardScaler().fit(train).transform(others), rtol=1e-12)


def test_images_stay_as_they_are_by_default():
    fitted = fit_preprocessing(DIGITS.info, DIGITS.x, image_maximum=16.0, standardize=None)

    assert fitted.mean is None
    assert fitted.standardize(DIGITS.x) is DIGITS.x


def test_images_are_standardized_by_channel_where_asked():
    fitted = fit_preprocessing(DIGITS.info, DIGITS.x, image_maximum=16.0, standardize=True)

    standardized = fitted.standardize(DIGITS.x)

    assert standardized.dtype == np.float32
    assert standardized.mean() == pytest.approx(0, abs=1e-5)
    assert standardized.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("num_rows", [1, 2, 3, 112, 113, 1000, 100_000])
def test_constant_columns_become_zeros_however_many_rows_there_are(num_rows):
    constants = np.array([14.62, 0.1, 1 / 3, 0.0, -1e-9, 1e9 + 0.1, -7e15, 1e-300, 1.3, 2.7, 3.1, 4.9, 5.3])
    train = np.tile(constants, (num_rows, 1))

    fitted = fit_preprocessing(WINE.info, train, image_maximum=None, standardize=True)

    assert list(fitted.std) == StandardScaler().fit(train).scale_.tolist() == [1.0] * 13
    assert not fitted.standardize(train).any()
    assert fitted.standardize(train + 1)[:, 0] == pytest.approx(1)


def test_columns_that_differ_by_rounding_alone_are_constant():
    train = np.tile([[0.1 + 0.2], [0.3]], (50, 13))

    fitted = fit_preprocessing(WINE.info, train, image_maximum=None, standardize=True)

    assert fitted.std == (1.0,) * 13


@pytest.mark.parametrize("num_rows", [3, 1000, 100_000])
@pytest.mark.parametrize(("offset", "step"), [(1e9, 1e-3), (1.0, 1e-12), (-1e6, 1e-7), (0.0, 1e-30), (1e15, 1.0)])
def test_columns_that_vary_a_little_around_much_are_scaled(num_rows, offset, step):
    column = offset + step * np.random.default_rng(0).integers(0, 20, num_rows)
    exact = (statistics.mean(map(Fraction, column)), statistics.pstdev(map(Fraction, column)))

    fitted = fit_preprocessing(WINE.info, np.tile(column[:, None], (1, 13)), image_maximum=None, standardize=True)

    assert fitted.mean[0] == pytest.approx(float(exact[0]), rel=1e-15)
    assert fitted.std[0] == pytest.approx(float(exact[1]), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_rows", [1, 2000])
def test_a_channel_of_one_grey_becomes_zeros(num_rows, dtype):
    info = replace(DIGITS.info, feature_shape=(2, 8, 8))
    images = np.random.default_rng(0).random((num_rows, 2, 8, 8)).astype(dtype)
    images[:, 1] = dtype(0.3)

    fitted = fit_preprocessing(info, images, image_maximum=255.0, standardize=True)

    assert fitted.std[1] == 1
    assert fitted.std[0] == pytest.approx(images[:, 0].std(dtype=np.float64))
    assert not fitted.standardize(images)[:, 1].any()


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
    features = fit_preprocessing(WINE.info, np.tile(column[:, None], (1, 13)), image_maximum=None, standardize=True)

    assert (fitted.mean, fitted.scale) == (pytest.approx(mean, rel=1e-12, abs=0), pytest.approx(scale, rel=1e-6, abs=0))
    assert features.mean == pytest.approx([mean] * 13, rel=1e-12, abs=1e-12 * scale)
    assert features.std == pytest.approx([scale] * 13, rel=1e-6, abs=0)
    assert np.abs(fitted.scaled(column)).max() == pytest.approx(0 if scale == 1 else 1, rel=1e-6)


def test_the_unit_of_a_loss_too_large_for_a_float_is_infinite():
    assert fit_target_scaling(np.array([0, 1e200])).loss_unit == np.inf


@pytest.mark.parametrize("column", range(13))
def test_the_size_of_values_changes_no_digit_of_what_they_are_scaled_to(column):
    values = WINE.x[:, column]

    scaled = [fit_target_scaling(values * 2.0**power).scaled(values * 2.0**power) for power in (-900, 0, 900)]

    assert np.array_equal(scaled[0], scaled[1])
    assert np.array_equal(scaled[2], scaled[1])


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("raw", [WINE, DIGITS], ids=lambda raw: raw.info.name)
def test_json_gives_the_same_preprocessing_back(raw, standardize):
    fitted = fit_preprocessing(raw.info, raw.x, image_maximum=raw.image_maximum, standardize=standardize)

    assert Preprocessing.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_columns_of_tables_are_kept():
    fitted = fit_preprocessing(WINE.info, WINE.x, image_maximum=None, standardize=None)

    assert fitted.columns == BUILTIN["wine"].columns
    assert fitted.to_json()["columns"][0] == {"name": "alcohol", "type": "number"}
