import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from regcore.data.catalogue import BUILTIN
from regcore.data.load import load
from regcore.data.preprocessing import Preprocessing, fit_preprocessing

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


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e9])
def test_a_constant_column_becomes_zeros(constant):
    train = WINE.x.copy()
    train[:, 3] = constant

    fitted = fit_preprocessing(WINE.info, train, image_maximum=None, standardize=True)

    assert np.abs(fitted.standardize(train)[:, 3]).max() <= abs(constant) * 1e-12


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("raw", [WINE, DIGITS], ids=lambda raw: raw.info.name)
def test_json_gives_the_same_preprocessing_back(raw, standardize):
    fitted = fit_preprocessing(raw.info, raw.x, image_maximum=raw.image_maximum, standardize=standardize)

    assert Preprocessing.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_columns_of_tables_are_kept():
    fitted = fit_preprocessing(WINE.info, WINE.x, image_maximum=None, standardize=None)

    assert fitted.columns == BUILTIN["wine"].columns
    assert fitted.to_json()["columns"][0] == {"name": "alcohol", "type": "number"}
