import re
from types import SimpleNamespace

import pytest

from regcore.data.tables.facts import ColumnFacts, Reading, TableFacts
from regcore.data.tables.target import choose_target, sort_labels
from regcore.spec.job import TaskSpec


def spec(target="y", kind="auto", **fields):
    data = SimpleNamespace(target=target, exclude=[], types={}, split_column=None, group_column=None)
    for name, value in fields.items():
        setattr(data, name, value)
    return SimpleNamespace(data=data, task=TaskSpec(kind=kind))


def table(type, values, *, number=None, num_rows=None, default_target=None, **reading):
    readings = {"category": Reading(num_missing=0, num_distinct=len(values or ()))}
    readings[type] = Reading(**{"num_missing": 0, "num_distinct": len(values or ()), **reading})
    if number is not None:
        readings["number"] = number
    column = ColumnFacts(name="y", type=type, readings=readings, values=values, examples=list(values or ())[:3])
    return TableFacts(
        format="csv",
        num_rows=num_rows or sum((values or {"": 100}).values()),
        columns=[column],
        default_target=default_target,
    )


def choose(facts, given):
    errors = []
    return choose_target(facts, given, errors), {error.pointer: error.message for error in errors}


LABELS = {"no": 60, "yes": 40}
INTEGERS = {"3": 30, "7": 30, "10": 40}
WHOLE = Reading(num_missing=0, num_distinct=3, is_whole=True)


@pytest.mark.parametrize(
    ("facts", "given", "classes"),
    [
        (table("category", LABELS), spec(), ("no", "yes")),
        (table("boolean", {"false": 5, "true": 5}), spec(), ("false", "true")),
        (table("boolean", {"0": 5, "1": 5}, number=WHOLE), spec(), ("0", "1")),
        (table("boolean", {"0": 5, "1": 5}, number=WHOLE), spec(kind="regression"), None),
        (table("number", INTEGERS, is_whole=True), spec(), ("3", "7", "10")),
        (table("number", INTEGERS, is_whole=True), spec(kind="regression"), None),
        (table("number", {"0.5": 50, "1.5": 50}), spec(), None),
        (table("number", {"0.5": 50, "1.5": 50}), spec(kind="classification"), ("0.5", "1.5")),
        (table("number", {str(k): 5 for k in range(21)}, is_whole=True), spec(), None),
        (table("number", {str(k): 5 for k in range(20)}, is_whole=True), spec(), tuple(map(str, range(20)))),
        (table("category", INTEGERS, number=WHOLE), spec(types={"y": "number"}, kind="regression"), None),
        (table("number", INTEGERS, is_whole=True), spec(types={"y": "number"}), None),
        (
            table("number", INTEGERS, is_whole=True),
            spec(types={"y": "number"}, kind="classification"),
            ("3", "7", "10"),
        ),
        (table("number", INTEGERS, is_whole=True), spec(types={"y": "category"}), ("3", "7", "10")),
    ],
    ids=str,
)
def test_the_task_follows_from_the_target_unless_the_spec_decides(facts, given, classes):
    target, errors = choose(facts, given)

    assert errors == {}
    assert (None if target.counts is None else tuple(target.counts)) == classes


def test_words_for_a_missing_or_an_infinite_value_are_no_class():
    target, _ = choose(table("category", {**LABELS, "NA": 3, "?": 1, "none": 2, "inf": 4, "-Infinity": 1}), spec())

    assert target.counts == LABELS
    assert target.num_rows == 100


def test_spellings_of_one_number_are_one_class_named_as_most_rows_spell_it():
    facts = table("number", {"1": 40, "1.0": 10, "2": 50}, is_whole=True, num_distinct=2)

    target, _ = choose(facts, spec())

    assert target.counts == {"1": 50, "2": 50}


def test_spellings_of_one_truth_value_are_one_class():
    target, _ = choose(table("boolean", {"No": 40, "no": 10, "YES": 50}), spec())

    assert target.counts == {"No": 50, "YES": 50}


def test_rows_that_have_a_number_are_counted():
    target, _ = choose(table("number", None, num_missing=3, num_unreadable=2), spec())

    assert target.num_rows == 95


def test_the_default_target_of_a_file_needs_no_name():
    target, _ = choose(table("category", LABELS, default_target="y"), spec(target=None))

    assert target.name == "y"


@pytest.mark.parametrize(
    ("facts", "given", "pointer", "said"),
    [
        (table("category", LABELS), spec(target=None), "/data/target", "required and is missing.*one of 'y'"),
        (table("category", LABELS), spec(target="Y "), "/data/target", "Did you mean 'y'"),
        (table("category", LABELS), spec(exclude=["y"]), "/data/exclude/0", "never a feature"),
        (table("category", LABELS), spec(group_column="y"), "/data/group_column", "cannot be the group_column too"),
        (table("category", {"a": 9}), spec(), "/data/target", "one class alone, 'a'"),
        (table("category", {"NA": 9}), spec(), "/data/target", "every cell of 'y' is a gap"),
        (table("number", None, num_missing=100), spec(), "/data/target", "every cell of 'y' is a gap"),
        (table("category", {str(k): 1 for k in "abcdef"}), spec(), "/data/target", "6 classes, more than half"),
        (table("text", None), spec(), "/data/target", "more than 1,000"),
        (table("number", {"0.5": 1, "1.5": 2}), spec(kind="classification"), "/data/target", "task.kind"),
        (table("date", {"2020-01-01": 9}), spec(), "/data/target", "dates, which cannot be predicted"),
        (table("category", LABELS), spec(kind="regression"), "/task/kind", "needs numbers"),
        (table("category", LABELS, number=WHOLE), spec(kind="regression"), "/task/kind", "data.types can say"),
    ],
    ids=str,
)
def test_a_target_that_cannot_be_learned_is_refused_with_what_to_do(facts, given, pointer, said):
    target, errors = choose(facts, given)

    assert target is None or errors
    assert re.search(said, errors[pointer]), errors


def test_labels_are_sorted_as_numbers_if_all_are():
    assert sort_labels(["10", "9", "-1", "2.5"]) == ["-1", "2.5", "9", "10"]
    assert sort_labels(["10", "9", "x"]) == ["10", "9", "x"]
