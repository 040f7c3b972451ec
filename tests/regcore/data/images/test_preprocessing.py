import json
from types import SimpleNamespace

import numpy as np
import pytest
from image_files import image_file
from PIL import Image

from regcore.data.images.arrays import read_array
from regcore.data.images.cells import form_of
from regcore.data.images.keep import keep
from regcore.data.images.pixels import ArrayForm
from regcore.data.images.preprocessing import ImagePreprocessing, fit_images, fit_known_images
from regcore.data.images.read import Collected
from regcore.data.load import load

DIGITS = load(SimpleNamespace(kind="builtin", name="digits"))
BYTES = np.random.default_rng(0).integers(0, 200, (300, 6, 5, 3), dtype=np.uint8)


def test_images_stay_as_they_are_by_default():
    fitted = fit_known_images(DIGITS.x, image_maximum=16.0, standardize=None)

    assert fitted.mean is None
    assert fitted.standardize(DIGITS.x) is DIGITS.x


def test_images_are_standardized_by_channel_where_asked():
    fitted = fit_known_images(DIGITS.x, image_maximum=16.0, standardize=True)

    standardized = fitted.standardize(DIGITS.x)

    assert standardized.dtype == np.float32
    assert standardized.mean() == pytest.approx(0, abs=1e-5)
    assert standardized.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("num_rows", [1, 2000])
def test_a_channel_of_one_grey_becomes_zeros(num_rows, dtype):
    images = np.random.default_rng(0).random((num_rows, 2, 8, 8)).astype(dtype)
    images[:, 1] = dtype(0.3)

    fitted = fit_known_images(images, image_maximum=255.0, standardize=True)

    assert fitted.std[1] == 1
    assert fitted.std[0] == pytest.approx(images[:, 0].std(dtype=np.float64))
    assert not fitted.standardize(images)[:, 1].any()


@pytest.mark.parametrize("standardize", [True, False])
def test_json_gives_the_same_preprocessing_back(standardize):
    fitted = fit_known_images(DIGITS.x, image_maximum=16.0, standardize=standardize)

    assert ImagePreprocessing.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def fitted_on(column, shape, *, standardize):
    facts = column.facts
    maximum = 255.0 if facts.maximum is None else facts.maximum
    array = form_of(facts)
    return fit_images(column.cells, shape, image_maximum=maximum, array=array, column="image", standardize=standardize)


@pytest.mark.parametrize("give", [np.uint8, np.float64, lambda x: x / 255, lambda x: (x / 255).astype(np.float32)])
def test_ones_own_images_are_standardized_by_channel(give):
    column = read_array(give(BYTES))

    fitted = fitted_on(column, (3, 6, 5), standardize=True)

    scaled = BYTES.transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(fitted.mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(fitted.std, scaled.std(axis=(0, 2, 3)), rtol=1e-6)
    x = fitted.encode({"image": column.cells}, np.float64).x
    np.testing.assert_allclose(
        x, (scaled - scaled.mean((0, 2, 3), keepdims=True)) / scaled.std((0, 2, 3), keepdims=True), rtol=1e-4
    )


@pytest.mark.parametrize("level", [0.3, 77])
def test_a_constant_channel_of_ones_own_is_only_moved(level):
    column = read_array(np.full((3, 2, 2), level))

    fitted = fitted_on(column, (1, 2, 2), standardize=True)

    assert fitted.std == (1.0,)
    assert not fitted.encode({"image": column.cells}, np.float64).x.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_files_are_encoded_in_the_precision_of_the_run(dtype):
    collected = Collected()
    collected.add([keep(image_file(Image.fromarray(pixels))) for pixels in BYTES[:20]])
    column = collected.column()

    fitted = fitted_on(column, (3, 6, 5), standardize=False)

    assert (fitted.array, fitted.is_fitted) == (None, False)
    x = fitted.encode({"image": column.cells}, dtype).x
    assert x.dtype == dtype
    assert np.array_equal(x, BYTES[:20].transpose(0, 3, 1, 2).astype(dtype) / dtype(255))
    assert ImagePreprocessing.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_a_model_of_before_ones_own_images_is_read():
    body = ImagePreprocessing((1, 8, 8), 16.0).to_json()
    del body["array"], body["column"]

    assert ImagePreprocessing.from_json(body) == ImagePreprocessing(
        (1, 8, 8), 16.0, array=ArrayForm((1, 8, 8), "float64")
    )
