import pyarrow as pa

from regcore.data.tables.find_types import find_facts

NUM_ROWS = 40
TEXTS = [f"the review number {n} is of film {n}" for n in range(NUM_ROWS)]
LABELS = ["good" if n % 3 else "bad" for n in range(NUM_ROWS)]
SCORES = [n / 7 for n in range(NUM_ROWS)]


def facts_of(default_target=None, **columns):
    return find_facts(pa.table(columns), format="csv", default_target=default_target)


def test_a_text_is_no_more_said_to_be_left_out_where_it_is_all_there_is():
    assert facts_of(review=TEXTS, label=LABELS).warnings == []


def test_a_text_beside_numbers_has_facts_too_so_that_a_spec_may_ask_for_it():
    found = facts_of(name=TEXTS, age=SCORES, fare=SCORES, label=LABELS)

    assert found.column("name").text.max_words == 8
    assert found.column("age").text is None
