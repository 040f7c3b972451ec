"""What a plan is told about a whole table."""

from typing import Any

import pyarrow as pa
import pytest

from regcore.data.tables.facts import TableFacts
from regcore.data.tables.find_types import find_facts


def facts_of(columns: dict[str, list[Any]], *, delimiter: str | None = ",") -> TableFacts:
    table = pa.table(columns)
    return find_facts(table, format="csv", delimiter=delimiter, find_lines=lambda rows: [row + 1 for row in rows])


def test_one_contradicting_cell_at_the_end_is_named() -> None:
    facts = facts_of({"x": [*map(str, range(1_000)), "oops"]})

    (cell,) = facts.columns[0].readings["number"].unreadable
    assert (cell.row, cell.line, cell.text) == (1_001, 1_002, "oops")
    (mixed,) = facts.warnings
    assert (mixed.code, mixed.column) == ("mixed_column", "x")
    assert "'oops' in row 1,001 (1 in all)" in mixed.message


def test_of_many_wrong_cells_the_first_are_named() -> None:
    reading = facts_of({"x": ["1", "a", "2", "b"] * 20}).columns[0].readings["number"]

    assert [(cell.row, cell.text) for cell in reading.unreadable] == [(2, "a"), (4, "b"), (6, "a"), (8, "b"), (10, "a")]
    assert reading.num_unreadable == 40


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["10", "9", "9", "NA", ""], {"9": 2, "10": 1}),
        (["b", "a", " b", "", "NA"], {"NA": 1, "a": 1, "b": 2}),
        ([True, False, None], {"false": 1, "true": 1}),
        ([2.0, 0.5, float("nan")], {"0.5": 1, "2": 1}),
        (["10,5", "9,5", "1.000,5"], {"9,5": 1, "10,5": 1, "1.000,5": 1}),
    ],
    ids=str,
)
def test_values_are_counted_as_spelled_and_sorted(cells: list[Any], values: dict[str, int]) -> None:
    column = facts_of({"x": cells}).columns[0]

    assert column.values == values
    assert list(column.values or {}) == list(values)


@pytest.mark.parametrize("cells", [range(1_001), ["x" * 60_000, "y" * 60_000]], ids=["many", "long"])
def test_too_many_or_too_long_values_are_not_kept(cells: Any) -> None:
    (column,) = facts_of({"x": list(map(str, cells))}).columns

    assert column.values is None
    assert column.num_distinct == len(cells)
    assert max(map(len, column.examples)) <= 100


def test_values_of_a_wide_table_are_kept_only_where_they_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regcore.data.tables.find_types._MAX_VALUES_OF_TABLE", 300)

    many, few = facts_of({"x": list(map(str, range(200))), "y": ["a", "b"] * 100}).columns

    assert many.values is None
    assert few.values == {"a": 100, "b": 100}


@pytest.mark.parametrize(
    ("others", "delimiter", "largest", "is_said"),
    [
        (["0,5", "1,25"], ";", 5, False),
        (["0.5", "1.25"], ",", 1234, False),
        (["a", "b"], ",", 1234, True),
        (["a", "b"], ";", 5, True),
    ],
    ids=["comma elsewhere", "point elsewhere", "nothing elsewhere", "semicolons"],
)
def test_thousands_and_decimals_are_told_apart_by_the_file(
    others: list[str], delimiter: str, largest: float, is_said: bool
) -> None:
    facts = facts_of({"x": ["1,234", "5"], "y": others}, delimiter=delimiter)

    assert facts.columns[0].readings["number"].maximum == largest
    assert ("ambiguous_numbers" in [warning.code for warning in facts.warnings]) == is_said


def test_points_are_thousands_where_the_file_has_decimal_commas() -> None:
    facts = facts_of({"x": ["1.234", "5"], "y": ["0,5", "1,25"]}, delimiter=";")

    assert facts.columns[0].readings["number"].maximum == 1234
    assert facts_of({"x": ["1.234", "5"]}).columns[0].readings["number"].maximum == 5


def test_present_cells_are_counted_by_split_as_in_a_target() -> None:
    facts = facts_of(
        {
            "s": ["train", "train", "test", "validation", ""],
            "label": ["a", "NA", "b", "", "a"],
            "n": ["1", "inf", "?", "2", "3"],
        }
    )

    assert facts.columns[1].present_by_split == {"s": {"train": 1, "test": 1}}
    assert facts.columns[2].present_by_split == {"s": {"train": 1, "validation": 1}}
    assert facts_of({"s": ["train", "other"]}).columns[0].present_by_split == {}


def test_what_the_reader_knows_is_kept() -> None:
    facts = find_facts(
        pa.table({"a": ["1"], "y": ["2"]}),
        format="npz",
        encoding="utf-8",
        delimiter=";",
        default_target="y",
        given_names={"a": " a"},
    )

    assert (facts.format, facts.encoding, facts.delimiter, facts.default_target) == ("npz", "utf-8", ";", "y")
    assert [column.given_name for column in facts.columns] == [" a", None]
    assert TableFacts.model_validate_json(facts.model_dump_json()) == facts


def test_a_clean_table_has_no_warnings() -> None:
    facts = facts_of(
        {"n": ["1", "2.5", ""], "c": ["a", "b", "a"], "d": ["2024-01-01", "", "2024-01-03"], "b": ["yes", "no", "no"]}
    )

    assert facts.warnings == []
    assert [column.type for column in facts.columns] == ["number", "category", "date", "boolean"]
