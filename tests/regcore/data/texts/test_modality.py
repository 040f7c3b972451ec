import pyarrow as pa
import pytest

from regcore.data.tables.find_types import find_facts

NUM_ROWS = 40
TEXTS = [f"the review number {n} is of film {n}" for n in range(NUM_ROWS)]
LABELS = ["good" if n % 3 else "bad" for n in range(NUM_ROWS)]
SCORES = [n / 7 for n in range(NUM_ROWS)]


def facts_of(default_target=None, **columns):
    return find_facts(pa.table(columns), format="csv", default_target=default_target)


@pytest.mark.parametrize(
    "columns",
    [
        {"review": TEXTS, "label": LABELS},
        {"label": LABELS, "stars": [n % 5 for n in range(NUM_ROWS)], "review": TEXTS},
        {"review": TEXTS, "score": SCORES},
        {"id": list(range(NUM_ROWS)), "key": [f"AX{n}" for n in range(NUM_ROWS)], "review": TEXTS, "label": LABELS},
        {"review": [("a fine film", "a dull film")[n % 2] for n in range(NUM_ROWS)], "label": LABELS},
        {"title": [f"film {n}" for n in range(NUM_ROWS)], "review": TEXTS, "label": LABELS},
    ],
    ids=["a label", "two labels", "a number", "identifiers", "repeated", "two texts"],
)
def test_a_table_whose_only_feature_is_text_is_a_set_of_texts(columns):
    found = facts_of(**columns)

    assert found.modality == "text"
    assert not [warning for warning in found.warnings if warning.column == "review"]
    assert found.column("review").text.is_running


@pytest.mark.parametrize(
    "columns",
    [
        {"name": TEXTS, "age": SCORES, "fare": SCORES[::-1], "label": LABELS},
        {"key": [f"AX{n}" for n in range(NUM_ROWS)], "label": LABELS},
        {"colour": [("light red", "dark blue")[n % 2] for n in range(NUM_ROWS)], "size": SCORES, "label": LABELS},
        {"review": TEXTS, **{f"tag{k}": LABELS for k in range(4)}},
    ],
    ids=["numbers too", "identifiers", "categories", "many categories"],
)
def test_a_table_with_other_features_stays_a_table(columns):
    assert facts_of(**columns).modality == "table"


def test_a_target_is_not_taken_for_the_text():
    found = facts_of("y", x=LABELS, y=TEXTS)

    assert found.modality == "table"
