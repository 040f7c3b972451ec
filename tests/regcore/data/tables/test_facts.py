"""Facts of a table, as they are kept and looked up."""

import pytest
from pydantic import ValidationError

from regcore.data.tables.facts import ColumnFacts, Reading, TableFacts


def column(name: str) -> ColumnFacts:
    return ColumnFacts(
        name=name,
        type="number",
        readings={"number": Reading(num_missing=2, num_distinct=3), "category": Reading(num_missing=1, num_distinct=4)},
        values={"1": 5},
        examples=["1"],
    )


def test_a_column_is_found_by_its_name() -> None:
    facts = TableFacts(format="csv", num_rows=6, columns=[column("a"), column("b")])

    assert facts.column("b") == column("b")
    assert facts.column("c") is None


def test_counts_are_those_of_the_type_that_was_found() -> None:
    assert (column("a").num_missing, column("a").num_distinct) == (2, 3)


def test_facts_survive_json() -> None:
    facts = TableFacts(format="jsonl", num_rows=6, columns=[column("a")])

    assert TableFacts.model_validate_json(facts.model_dump_json()) == facts
    assert TableFacts.model_validate_json(facts.model_dump_json(exclude_defaults=True)) == facts


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(ValidationError):
        Reading(num_missing=0, num_distinct=0, maximum=float("inf"))
