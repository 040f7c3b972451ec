from types import SimpleNamespace

import pyarrow as pa
import pytest

from regcore.data.features import TextFeatures
from regcore.data.media_facts import TextFacts
from regcore.data.tables.find_types import find_facts
from regcore.data.texts.inputs import TextInputs, choose_texts

NUM_ROWS = 40
TEXTS = [f"the review number {n} is of film {n}" for n in range(NUM_ROWS)]
LABELS = ["good" if n % 3 else "bad" for n in range(NUM_ROWS)]
SCORES = [n / 7 for n in range(NUM_ROWS)]
FACTS = TextFacts(num_words=50, num_lowercase_words=40, num_characters=300, max_words=9, max_bytes=70)


def inputs_of(**features):
    return TextInputs(FACTS, TextFeatures(column="text", **features))


def chosen(columns, target="label", **data):
    errors = []
    named = {"features": None, "exclude": [], "types": {}, "split_column": None, "group_column": None} | data
    table = find_facts(pa.table(columns), format="csv")
    inputs = choose_texts(table, SimpleNamespace(**named), target, errors)
    return inputs, [(error.pointer, error.code) for error in errors]


@pytest.mark.parametrize(
    ("features", "shape", "tokens"),
    [
        ({}, (32,), 2048),
        ({"lowercase": False, "vocabulary_size": 50}, (32,), 50),
        ({"max_tokens": 5}, (5,), 2048),
        ({"tokenizer": "bpe"}, (128,), 2048),
    ],
    ids=["words", "with case", "cut", "pieces"],
)
def test_the_shape_of_rows_follows_from_the_facts(features, shape, tokens):
    row = inputs_of(**features).row

    assert (row.shape, row.tokens, row.varies) == (shape, tokens, True)


def test_a_few_words_more_do_not_change_the_network():
    more = FACTS.model_copy(update={"num_lowercase_words": 900, "max_words": 30})

    assert TextInputs(more, TextFeatures(column="text")).row == inputs_of().row


def test_the_text_is_found_and_written_into_the_features():
    inputs, errors = chosen({"id": list(range(NUM_ROWS)), "review": TEXTS, "label": LABELS})

    assert errors == []
    assert (inputs.names, inputs.features.column) == (("review",), "review")


TWO = {"title": [f"film {n}" for n in range(NUM_ROWS)], "review": TEXTS, "age": SCORES, "label": LABELS}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, ("/data/features/column", "several_texts")),
        ({"features": TextFeatures(column="reviews")}, ("/data/features/column", "unknown_column")),
        ({"features": TextFeatures(column="age")}, ("/data/features/column", "no_text")),
        ({"features": TextFeatures(column="label")}, ("/data/features/column", "column_twice")),
        ({"exclude": ["title", "review"]}, ("/data/features", "no_text")),
        ({"exclude": ["titel"]}, ("/data/exclude/0", "unknown_column")),
    ],
    ids=["several", "unknown", "no text", "the target", "none left", "unknown to exclude"],
)
def test_a_column_that_cannot_be_told_or_read_is_refused(data, error):
    inputs, errors = chosen(TWO, **data)

    assert inputs is None
    assert errors == [error]


@pytest.mark.parametrize(
    "data", [{"exclude": ["title"]}, {"features": TextFeatures(column="review")}, {"types": {"review": "text"}}]
)
def test_one_of_several_texts_is_taken_as_the_spec_says(data):
    inputs, errors = chosen(TWO, **data)

    assert errors == []
    assert inputs.names == ("review",)


def test_other_columns_are_said_to_be_left_out():
    inputs, _ = chosen(TWO, features=TextFeatures(column="review"))
    table = find_facts(pa.table(TWO), format="csv")
    spec = SimpleNamespace(data=SimpleNamespace(exclude=[], split_column=None, group_column=None))

    (doubt,) = inputs.doubts(table, spec, target="label", class_counts=None)

    assert doubt.code == "columns_left_out"
    assert "'title', 'age' are left out" in doubt.message
