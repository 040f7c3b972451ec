import numpy as np
import pyarrow as pa
import pytest

from regcore.data.features import TextFeatures
from regcore.data.read_preprocessing import apply_preprocessing
from regcore.data.texts.fit import fit_texts
from regcore.errors import InvalidDataError
from regcore.shapes import RowInfo

TEXTS = ["red blue", "blue"]
PREPROCESSING = fit_texts(
    pa.array(TEXTS),
    TextFeatures(column="review"),
    RowInfo((4,), 16, varies=True),
    given=["id", "review"],
    target="label",
)


def rows_of(raw):
    return apply_preprocessing(PREPROCESSING, raw, np.float32).x.tolist()


@pytest.mark.parametrize(
    "raw",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        {"review": TEXTS, "label": ["a", "b"]},
        [{"id": 1, "review": text} for text in TEXTS],
        [[1, text] for text in TEXTS],
        pa.table({"words": TEXTS}),
    ],
    ids=["list", "tuple", "array", "columns", "dicts", "rows as in training", "its only column"],
)
def test_texts_are_taken_in_each_form(raw):
    assert rows_of(raw) == [[3, 2, 0, 0], [2, 0, 0, 0]]


def test_files_of_rows_and_folders_of_texts_are_read(tmp_path):
    csv = tmp_path / "rows.csv"
    csv.write_text("id,review\n1,red blue\n2,blue\n")
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text)

    assert rows_of(csv) == rows_of(str(csv)) == rows_of(folder) == rows_of(TEXTS)


def test_no_texts_give_no_rows():
    assert rows_of([]) == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("just a text", "A single text was given"),
        ({"Review": TEXTS, "id": [1, 2]}, r"lack the column 'review', .* they have 'Review', 'id'"),
        ([[1, "a", "b"]], "received rows of 3 columns"),
    ],
    ids=["one text", "another name", "too many columns"],
)
def test_what_holds_no_texts_is_refused(raw, message):
    with pytest.raises(InvalidDataError, match=message):
        rows_of(raw)
