from typing import Any

import pytest
from jsonpatch import apply_patch

from regcore.data.tables.facts import Cell, ColumnFacts, ColumnType, Reading, TableFacts
from regcore.data.tables.findings import MAX_PATCHED, MAX_TOLD, excluding, from_facts, together
from regcore.doubts import Doubt
from regcore.spec import parse_spec

NUM_ROWS = 100


def reading(num_distinct: int, **fields: Any) -> Reading:
    return Reading(**{"num_missing": 0, "num_distinct": num_distinct, **fields})


def column(name: str, found: ColumnType, fields: dict[str, Any], values: dict[str, int] | None = None, **others: Any):
    readings = {"category": reading(fields["num_distinct"]), found: reading(**fields), **others}
    return ColumnFacts(name=name, type=found, readings=readings, values=values, examples=["7"])


HEIGHT = column("height", "number", {"num_distinct": 90, "minimum": 1.5, "maximum": 2.1})
COLOUR = column("colour", "category", {"num_distinct": 3}, {"red": 30, "green": 30, "blue": 40})
TARGET = column("bought", "category", {"num_distinct": 2}, {"no": 60, "yes": 40})


def findings(*columns: ColumnFacts, data: dict[str, Any] | None = None, width: int = 5, **settings: Any) -> list[Doubt]:
    spec = parse_spec(a_spec(data, **settings))
    table = TableFacts(format="csv", num_rows=NUM_ROWS, columns=[*columns])
    counts = table.column("bought").values
    return from_facts(table, spec, target="bought", class_counts=counts, width=width)


def a_spec(data: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    own = {"kind": "file", "path": "rows.csv", "target": "bought", **(data or {})}
    return {"data": own, "model": {"kind": "linear"}, **settings}


SUSPECTS = {
    "class_imbalance": column("bought", "category", {"num_distinct": 2}, {"no": 95, "yes": 5}),
    "classes_alike": column("bought", "category", {"num_distinct": 3}, {"no": 40, "yes": 30, "Yes": 30}),
    "constant_column": column("country", "category", {"num_distinct": 1}, {"DE": 100}),
    "row_number": column("n", "number", {"num_distinct": 100, "is_whole": True, "minimum": 1.0, "maximum": 100.0}),
    "identifier": column(
        "customerId", "number", {"num_distinct": 100, "is_whole": True, "minimum": 1e3, "maximum": 9e5}
    ),
    "number_may_be_category": column(
        "ZIP Code", "number", {"num_distinct": 12, "is_whole": True, "minimum": 1067.0, "maximum": 99998.0}
    ),
    "number_read_as_category": column(
        "age",
        "category",
        {"num_distinct": 40},
        number=reading(38, num_unreadable=2, unreadable=[Cell(row=17, text="twelve"), Cell(row=40, text="n.k.")]),
    ),
    "rows_are_dated": column("sold_at", "date", {"num_distinct": 80, "minimum": 0.0, "maximum": 86400.0 * 365}),
    "text_left_out": column("remark", "text", {"num_distinct": 100}),
}


@pytest.mark.parametrize("code", SUSPECTS)
def test_each_doubt_is_found_alone_and_its_patch_ends_it(code: str) -> None:
    suspect = SUSPECTS[code]
    columns = [HEIGHT, COLOUR, *([] if suspect.name == "bought" else [TARGET]), suspect]

    (found,) = findings(*columns)

    assert found.code == code
    assert repr(suspect.name) in found.message or code == "class_imbalance"
    if found.patch:
        patched = apply_patch(parse_spec(a_spec()).model_dump(mode="json"), list(found.patch))
        settings = {name: patched[name] for name in ("model", "task")}
        left = findings(*columns, data=patched["data"], **settings)
        assert [one.code for one in left if one.code != "cells_unreadable"] == []


def test_a_column_of_gaps_alone_is_told() -> None:
    empty = ColumnFacts(
        name="fax", type="ignore", readings={"ignore": reading(0, num_missing=NUM_ROWS)}, values={}, examples=[]
    )

    (found,) = findings(HEIGHT, TARGET, empty)

    assert (found.code, found.patch) == ("constant_column", excluding("fax"))
    assert "'fax' has gaps alone" in found.message


def test_bad_cells_are_named_by_row() -> None:
    (found,) = findings(HEIGHT, TARGET, SUSPECTS["number_read_as_category"])

    assert "'twelve' in row 17, 'n.k.' in row 40" in found.message
    assert found.patch == ({"op": "add", "path": "/data/types/age", "value": "number"},)


def test_cells_that_a_type_loses_are_named() -> None:
    (found,) = findings(HEIGHT, TARGET, SUSPECTS["number_read_as_category"], data={"types": {"age": "number"}})

    assert (found.pointer, found.code) == ("/data/types/age", "cells_unreadable")
    assert "'twelve' in row 17" in found.message


@pytest.mark.parametrize(
    "column",
    [
        column("year", "number", {"num_distinct": 20, "is_whole": True, "minimum": 1990.0, "maximum": 2009.0}),
        column("income", "number", {"num_distinct": 100, "is_whole": True, "minimum": 900.0, "maximum": 9e4}),
        column("recipe", "number", {"num_distinct": 9, "is_whole": True, "minimum": 0.0, "maximum": 9.0}),
        column("date_of_birth", "date", {"num_distinct": 90, "minimum": 0.0, "maximum": 1e9}),
        column("size", "category", {"num_distinct": 6}, number=reading(5, num_unreadable=40)),
        column("insured", "category", {"num_distinct": 1, "num_missing": 30}, {"yes": 70}),
    ],
    ids=lambda column: column.name,
)
def test_what_is_usual_raises_no_doubt(column: ColumnFacts) -> None:
    assert findings(HEIGHT, COLOUR, TARGET, column) == []


def test_columns_that_are_no_features_raise_none() -> None:
    number, zip_code = SUSPECTS["row_number"], SUSPECTS["number_may_be_category"]

    assert findings(HEIGHT, TARGET, number, zip_code, data={"exclude": ["n"], "group_column": "ZIP Code"}) == []


def test_fewer_rows_than_features_are_told() -> None:
    assert [one.code for one in findings(HEIGHT, TARGET, width=NUM_ROWS + 1)] == ["fewer_rows_than_features"]


def test_many_columns_of_one_finding_are_told_together() -> None:
    many = [column(f"empty {k}", "category", {"num_distinct": 0, "num_missing": NUM_ROWS}) for k in range(MAX_TOLD + 3)]

    found = findings(HEIGHT, TARGET, *many)

    assert len(found) == MAX_TOLD + 1
    assert "3 other columns" in found[-1].message
    assert [step["value"] for step in found[-1].patch] == [one.name for one in many[MAX_TOLD:]]


def test_a_patch_that_would_not_fit_into_a_request_is_left_out() -> None:
    names = [str(k) for k in range(MAX_TOLD + MAX_PATCHED + 1)]
    doubts = [Doubt("/data/exclude", "constant_column", "It is.", "Leave it out.", excluding(name)) for name in names]

    last = [*together(names, doubts)][-1]

    assert last.patch == ()
    assert "1,001 other columns" in last.message
