from types import SimpleNamespace

import pytest

from regcore.data.features import TableFeatures
from regcore.data.tables.facts import ColumnFacts, Reading, TableFacts
from regcore.data.tables.features import DATE_PLACES, TIME_PLACES, Feature, choose_features


def reading(num_missing: int = 0, num_distinct: int = 5, **more: object) -> Reading:
    return Reading(num_missing=num_missing, num_distinct=num_distinct, **more)


def column(name: str, type: str, **readings: Reading) -> ColumnFacts:
    found = {"category": reading(), type: reading()} | readings
    return ColumnFacts(name=name, type=type, readings=found, values=None, examples=["a", "b"])


def data(**fields: object) -> SimpleNamespace:
    defaults = {"exclude": [], "types": {}, "split_column": None, "group_column": None}
    return SimpleNamespace(**defaults | fields)


def choose(columns, target="y", max_categories=100, **fields):
    errors = []
    settings = TableFeatures(max_categories=max_categories)
    table = TableFacts(format="csv", num_rows=10, columns=columns)
    chosen = choose_features(table, data(**fields), target, settings, errors)
    return chosen, {error.pointer: error.message for error in errors}


@pytest.mark.parametrize(
    ("feature", "num_places"),
    [
        (Feature("a", "number", reading()), 1),
        (Feature("a", "number", reading(), has_gaps=True), 2),
        (Feature("a", "boolean", reading(), has_gaps=True), 2),
        (Feature("a", "category", reading(), num_categories=3), 4),
        (Feature("a", "category", reading(), has_gaps=True, num_categories=3), 5),
        (Feature("a", "date", reading()), DATE_PLACES),
        (Feature("a", "date", reading(has_time=True), has_gaps=True), DATE_PLACES + TIME_PLACES + 1),
    ],
    ids=lambda value: value.type if isinstance(value, Feature) else str(value),
)
def test_places_follow_from_the_facts_of_the_file(feature, num_places):
    assert feature.num_places == num_places


def test_text_and_the_columns_with_another_role_are_no_features():
    columns = [column(name, "number") for name in ("a", "y", "fold", "who", "left")]
    columns += [column("words", "text"), column("nothing", "ignore")]

    features, errors = choose(columns, split_column="fold", group_column="who", exclude=["left"])

    assert [feature.name for feature in features] == ["a"]
    assert errors == {}


def test_a_category_has_at_most_so_many_places_of_its_own():
    columns = [column("few", "category", category=reading(num_distinct=3)), column("many", "category")]

    features, _ = choose(columns, max_categories=4)

    assert [feature.num_places for feature in features] == [4, 5]


def test_cells_that_cannot_be_read_as_asked_are_gaps():
    columns = [column("a", "category", number=reading(num_unreadable=1))]

    (feature,), errors = choose(columns, types={"a": "number"})

    assert (feature.type, feature.has_gaps, errors) == ("number", True, {})


@pytest.mark.parametrize(
    ("fields", "pointer", "said"),
    [
        ({"exclude": ["Agee"]}, "/data/exclude/0", "Did you mean 'age'?"),
        ({"types": {"a/b": "number"}}, "/data/types/a~1b", "no column 'a/b'; it has 'age', 'city'"),
        ({"types": {"city": "number"}}, "/data/types/city", "fewer than half of the cells of 'city'"),
        ({"exclude": ["age", "city"]}, "/data", "no column is left to learn from"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_table_is_named_at_its_place(fields, pointer, said):
    columns = [column("age", "number", number=reading(num_missing=2)), column("city", "category")]

    _, errors = choose(columns, **fields)

    assert said in errors[pointer]


def test_where_no_feature_is_left_the_text_columns_are_named():
    _, errors = choose([column("words", "text")])

    assert "'words' are text or ignored" in errors["/data"]
