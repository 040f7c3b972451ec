import numpy as np
import pytest

from regcore.data.encoded import Encoded
from regcore.data.images.preprocessing import fit_known_images
from regcore.data.read_preprocessing import read_preprocessing
from regcore.data.sequences import SequencePreprocessing
from regcore.data.tables.encode import TablePreprocessing

PREPROCESSINGS = [
    fit_known_images(np.random.default_rng(0).random((5, 2, 3, 4)), image_maximum=255.0, standardize=True),
    SequencePreprocessing((4,), tokens=6),
    TablePreprocessing(()),
]


@pytest.mark.parametrize("preprocessing", PREPROCESSINGS, ids=lambda one: one.kind)
def test_each_preprocessing_tells_its_rows_layout_and_scaling(preprocessing):
    again = read_preprocessing(preprocessing.to_json())

    assert again.row == preprocessing.row
    assert again.layout == preprocessing.layout
    hash(preprocessing.layout)
    if preprocessing.scaling is not None:
        assert [part.shape for part in preprocessing.scaling] == [(preprocessing.row.num_values,)] * 2


def test_encoded_rows_have_one_length_and_nothing_to_say_by_default():
    encoded = Encoded(np.zeros((2, 3)))

    assert encoded.lengths is None
    assert encoded.notes == []
