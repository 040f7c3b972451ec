import subprocess
import sys

import pyarrow as pa
import pytest

from regcore.data.source import TableSource
from regcore.data.tables.choose import table_facts_of
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.table import Table
from regcore.errors import SpecError
from regcore.plan import make_plan

ROWS = 60
COLUMNS = pa.table(
    {
        "age": [str(20 + k % 30) for k in range(ROWS)],
        "city": ["Aachen", "Bonn", "Celle", ""] * (ROWS // 4),
        "label": [" yes" if k % 3 else "no" for k in range(ROWS)],
        "amount": [f"{k}.5" for k in range(ROWS)],
        "fold": (["train"] * 3 + ["validation", "test"]) * (ROWS // 5),
        "wrong": (["train"] * 3 + ["tset", "test"]) * (ROWS // 5),
        "who": [f"p{k % 10}" for k in range(ROWS)],
    }
)
FACTS = find_facts(COLUMNS, format="csv")


def spec(target="label", **data):
    exclude = ["wrong", "who", *(["fold"] if "split_column" not in data else [])]
    exclude = [name for name in exclude if name not in data.values()]
    return {
        "data": {"kind": "arrays", "target": target, "exclude": exclude, **data},
        "model": {"kind": "linear"},
        "training": {"batch_size": 8},
    }


SPECS = {
    "fractions": spec(),
    "regression": spec("amount"),
    "split column": spec(split_column="fold"),
    "groups": spec(group_column="who"),
    "groups and a limit": spec(group_column="who", train_limit=10),
    "few places": spec(features={"max_categories": 1}),
}


@pytest.mark.parametrize("name", SPECS)
def test_what_the_facts_plan_is_what_the_rows_give(name):
    plan = make_plan(SPECS[name], facts_of=table_facts_of(FACTS, "rows.csv"))

    source = TableSource(Table(COLUMNS, FACTS), "rows.csv")
    exact = make_plan(SPECS[name], facts_of=source.facts)
    prepared = source.prepare(plan.resolved_spec)

    assert plan == exact
    assert tuple(prepared.train.x.shape) == (plan.num_rows.train, *plan.input_shape)
    assert (len(prepared.validation), len(prepared.test)) == (plan.num_rows.validation, plan.num_rows.test)


def test_classes_are_as_spelled_and_the_width_is_the_files():
    plan = make_plan(SPECS["fractions"], facts_of=table_facts_of(FACTS, "rows.csv"))

    assert plan.classes == ["no", "yes"]
    # age, city with its pooled place and its indicator of gaps, amount
    assert plan.input_shape == (1 + 3 + 1 + 1 + 1,)


def test_rows_without_a_target_are_counted_in_a_warning():
    columns = COLUMNS.set_column(2, "label", [["", "NA", *COLUMNS["label"].to_pylist()[2:]]])

    plan = make_plan(SPECS["fractions"], facts_of=table_facts_of(find_facts(columns, format="csv"), "rows.csv"))

    (warning,) = [warning for warning in plan.warnings if warning.code == "rows_without_target"]
    assert warning.message.startswith("2 of 60 rows have no 'label'")
    assert sum(plan.num_rows.model_dump().values()) == 58


@pytest.mark.parametrize(
    ("body", "pointer", "said"),
    [
        (spec(split_column="wrong"), "/data/split_column", "'tset' in row 4"),
        (spec(split_column="fodl"), "/data/split_column", "Did you mean 'fold'"),
        (spec(group_column="whom"), "/data/group_column", "Did you mean 'who'"),
        (spec(split_column="fold", group_column="who"), "/data/group_column", "Leave one of them out"),
        (spec("labl"), "/data/target", "Did you mean 'label'"),
        (spec(features={"missing": "error"}), "/data/features/missing", "'city' has 15 gaps, the first in row 4"),
        (spec(test_fraction=0.0, validation_fraction=0.9, train_limit=50), "/data/train_limit", "at most the 6 rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named_with_its_row(body, pointer, said):
    with pytest.raises(SpecError) as caught:
        make_plan(body, facts_of=TableSource(Table(COLUMNS, FACTS)).facts)

    assert said in {error.pointer: error.message for error in caught.value.errors}[pointer]


def test_a_class_with_fewer_rows_than_splits_is_refused_where_splits_are_drawn():
    labels = ["rare", "rare", *COLUMNS["label"].to_pylist()[2:]]
    facts_of = table_facts_of(find_facts(COLUMNS.set_column(2, "label", [labels]), format="csv"), "rows.csv")

    with pytest.raises(SpecError, match=r"these have fewer: 'rare' \(2\)"):
        make_plan(SPECS["fractions"], facts_of=facts_of)
    make_plan(spec(test_fraction=0.0), facts_of=facts_of)
    make_plan(SPECS["split column"], facts_of=facts_of)


def test_an_amount_that_was_asked_for_as_classes_is_told_of_regression():
    with pytest.raises(SpecError, match=r'needs a row for each of 3 splits.*set task.kind to "regression"'):
        make_plan({**spec("age"), "task": {"kind": "classification"}}, facts_of=table_facts_of(FACTS, "rows.csv"))


def test_planning_loads_neither_torch_nor_numpy_nor_arrow():
    code = (
        "import sys, regcore.plan, regcore.data.tables.choose; "
        "print({'torch', 'numpy', 'pyarrow', 'duckdb'} & set(sys.modules))"
    )

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "set()"
