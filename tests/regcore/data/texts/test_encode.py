import json

import numpy as np
import pyarrow as pa
import pytest

from regcore.data.features import TextFeatures
from regcore.data.read_preprocessing import read_preprocessing
from regcore.data.texts.fit import fit_texts
from regcore.shapes import RowInfo

TRAIN = pa.array(["red red red blue blue green"])


def fitted(**features):
    row = RowInfo((4,), 32, varies=True)
    return fit_texts(TRAIN, TextFeatures(column="t", **features), row, given=["t"], target="y")


def encoded(*texts, **features):
    return fitted(**features).encode({"t": pa.array(texts)}, np.float32)


def test_padding_is_0_the_unknown_1_and_words_follow():
    found = encoded("Green RED pink", "blue")

    assert found.x.tolist() == [[4, 2, 1, 0], [3, 0, 0, 0]]
    assert found.lengths.tolist() == [3, 1]
    assert (found.x.dtype, found.notes, found.num_readable) == (np.int64, [], 2)


@pytest.mark.parametrize(
    ("text", "x", "length", "code"),
    [
        ("", [1, 0, 0, 0], 1, "texts_empty"),
        (None, [1, 0, 0, 0], 1, "texts_empty"),
        ("pink 😀", [1, 1, 0, 0], 2, "texts_unknown"),
        ("red red blue red green", [2, 2, 3, 2], 4, "texts_cut"),
    ],
    ids=["empty", "gap", "unknown", "long"],
)
def test_odd_texts_are_kept_and_told(text, x, length, code):
    found = encoded("red", text)

    assert (found.x[1].tolist(), found.lengths[1]) == (x, length)
    assert [doubt.code for doubt in found.doubts] == [code]
    assert found.notes[0].startswith("Row 2 ")


def test_a_text_of_just_the_greatest_length_is_not_cut():
    assert encoded("red red red red").doubts == []


@pytest.mark.parametrize("features", [{}, {"tokenizer": "bpe"}, {"lowercase": False}])
def test_what_was_learned_is_the_same_after_json(features):
    preprocessing = fitted(**features)
    texts = {"t": pa.array(["Red blue", "greenish red", "xx"])}

    again = read_preprocessing(json.loads(json.dumps(preprocessing.to_json())))

    assert again == preprocessing
    assert again.layout == preprocessing.layout
    assert np.array_equal(again.encode(texts, np.float32).x, preprocessing.encode(texts, np.float32).x)
