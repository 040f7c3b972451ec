import numpy as np
import pytest

from regcore.data.features import ImageFeatures
from regcore.data.images.inputs import ImageInputs, choose_images
from regcore.data.media_facts import ImageFacts
from regcore.data.tables.read.arrays import table_of
from regcore.shapes import RowInfo
from regcore.spec.data import ArraysData

TABLE = table_of(np.random.default_rng(0).integers(0, 256, (10, 12, 9), dtype=np.uint8), ["a", "b"] * 5)
FEATURES = {"kind": "image", "size": [6, 5], "channels": 3}


def choose(table=TABLE, **data):
    errors = []
    chosen = choose_images(table.facts, ArraysData(kind="arrays", **data), "y", errors)
    return chosen, [(error.pointer, error.code) for error in errors]


def of_files(heights, widths, *, all_grey=False):
    """A set of files of these sizes."""
    facts = ImageFacts(heights=heights, widths=widths, all_grey=all_grey)
    *others, column = TABLE.facts.columns
    columns = [*others, column.model_copy(update={"image": facts})]
    return type(TABLE)(TABLE.columns, TABLE.facts.model_copy(update={"columns": columns}))


def test_arrays_keep_their_own_shape_by_default():
    chosen, errors = choose()

    assert errors == []
    assert (chosen.modality, chosen.names, chosen.row) == ("image", ("image",), RowInfo((1, 12, 9)))
    assert chosen.features == ImageFeatures(size=[12, 9], channels=1)


@pytest.mark.parametrize(
    ("table", "size", "channels"),
    [
        (of_files((28, 28), (20, 20), all_grey=True), [28, 20], 1),
        (of_files((64, 64), (64, 64)), [64, 64], 3),
        (of_files((65, 65), (65, 65)), [32, 32], 3),
        (of_files((20, 28), (28, 28), all_grey=True), [32, 32], 1),
    ],
)
def test_files_keep_theirs_if_it_is_small_and_one(table, size, channels):
    assert choose(table)[0].features == ImageFeatures(size=size, channels=channels)


def test_a_spec_says_otherwise():
    chosen, errors = choose(features=FEATURES)

    assert errors == []
    assert chosen.row == RowInfo((3, 6, 5))
    encoder = chosen.fit(chosen.read(TABLE.columns), standardize=False, given=["image"], target="y")
    assert encoder.encode(chosen.read(TABLE.columns), np.float32).x.shape == (10, 3, 6, 5)
    assert chosen.read(TABLE.columns.drop_columns("image")) == {}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"exclude": ["image"]}, ("/data/exclude/0", "no_features")),
        ({"types": {"image": "category"}}, ("/data/types/image", "type_mismatch")),
    ],
)
def test_images_cannot_be_left_out_or_read_otherwise(data, expected):
    assert choose(**data)[1] == [expected]


def test_a_table_has_no_images():
    table = table_of({"a": [1.0, 2.0], "y": ["p", "q"]})

    assert choose(table, features=FEATURES) == (None, [("/data/features/kind", "wrong_modality")])


@pytest.mark.parametrize(
    ("facts", "size", "better"),
    [
        (ImageFacts(heights=(20, 30), widths=(20, 40), all_grey=True), [60, 60], [30, 40]),
        (ImageFacts(heights=(500, 900), widths=(500, 900), all_grey=True), [384, 384], [256, 256]),
        (ImageFacts(heights=(500, 900), widths=(500, 900), all_grey=True), [224, 224], None),
        (ImageFacts(heights=(20, 30), widths=(20, 40), all_grey=True), [32, 32], None),
    ],
)
def test_pixels_that_would_be_made_up_are_doubted(facts, size, better):
    inputs = ImageInputs("image", facts, ImageFeatures(size=size))

    doubts = inputs.doubts(TABLE.facts, None, target=None, class_counts=None)

    assert [doubt.patch[0]["value"] for doubt in doubts] == ([] if better is None else [better])


def test_classes_are_judged_as_those_of_a_table():
    chosen, _ = choose()

    class Spec:
        class task:
            class_weights = None

    doubts = chosen.doubts(TABLE.facts, Spec, target="y", class_counts={"a": 90, "b": 10})

    assert [doubt.code for doubt in doubts] == ["class_imbalance"]
