import json

import numpy as np
import pyarrow as pa

from regcore.data.images.preprocessing import fit_known_images
from regcore.data.read_preprocessing import read_preprocessing
from regcore.data.tables.facts import Reading
from regcore.data.tables.features import Feature
from regcore.data.tables.fit import fit_columns


def test_images_and_tables_are_read_back_as_what_they_were():
    images = fit_known_images(np.random.default_rng(0).random((5, 2, 3, 3)), image_maximum=255.0, standardize=True)
    columns = {"a": pa.chunked_array([[1.0, 2.0]])}
    feature = Feature("a", "number", Reading(num_missing=0, num_distinct=2))
    table = fit_columns([feature], columns, missing="mean", standardize=True, given=["a"], target="b")

    for preprocessing in (images, table):
        assert read_preprocessing(json.loads(json.dumps(preprocessing.to_json()))) == preprocessing
