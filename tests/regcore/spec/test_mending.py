from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regcore.errors import SpecError
from regcore.plan import Ceilings, make_plan
from regcore.spec import apply_patch, parse_spec
from regcore.spec.mending import mend
from regcore.spec.patch import look_up

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "mlp", "hidden": [4]}}
TOO_LARGE = {"training": {"batch_size": 99_999}}
UNKNOWN = {"kind": "l1", "strength": 1.0, "select": {"include": ["nope"]}}


def wrong_places(spec: Any, ceilings: Ceilings | None = None) -> list[str]:
    with pytest.raises(SpecError) as caught:
        make_plan(spec, ceilings)
    return [error.pointer for error in caught.value.errors]


def test_wrong_fields_do_not_hide_what_the_right_ones_cannot_say_together() -> None:
    spec = {
        **SPEC,
        "lr": 0.1,
        "optimizer": {"kind": "sgd", "learning_rate": -1},
        "training": {"batch_size": 99_999, "epochs": 10**9},
        "regularizers": [{"kind": "l1"}, {"kind": "l2", "strength": "1"}, UNKNOWN],
    }

    assert wrong_places(spec, Ceilings()) == [
        "/optimizer/learning_rate",
        "/regularizers/0/strength",
        "/regularizers/1/strength",
        "/lr",
        "/regularizers/2/select",
        "/training/batch_size",
        "/training/epochs",
    ]


def test_what_the_fields_say_together_is_told_all_at_once() -> None:
    spec = {
        **SPEC,
        **TOO_LARGE,
        "data": {**SPEC["data"], "validation_fraction": 0},
        "task": {"kind": "regression", "class_weights": [1.0]},
        "model": {"kind": "layers", "layers": [{"kind": "linear", "features": 3}]},
        "regularizers": [{"kind": "early_stopping"}, {"kind": "early_stopping"}],
    }

    assert wrong_places(spec) == [
        "/task/kind",
        "/task/class_weights",
        "/model",
        "/regularizers/0",
        "/regularizers/1",
        "/regularizers/1",
        "/training/batch_size",
    ]


@pytest.mark.parametrize(
    ("part", "places"),
    [
        # Rows are counted by the data, which are not known.
        ({**TOO_LARGE, "data": {"kind": "builtin", "name": "digits", "test_fraction": "x"}}, ["/data/test_fraction"]),
        ({**TOO_LARGE, "data": {"kind": "builtin"}}, ["/data/name"]),
        ({**TOO_LARGE, "data": None}, ["/data"]),
        # Parameters are the model's.
        ({"model": {"kind": "mlp"}, "regularizers": [UNKNOWN]}, ["/model/hidden"]),
        ({**TOO_LARGE, "model": "mlp", "regularizers": [UNKNOWN]}, ["/model", "/training/batch_size"]),
        ({**TOO_LARGE, "model": {"kind": "mlp", "hidden": [4, 0]}}, ["/model/hidden/1", "/training/batch_size"]),
        # The default in the place of a wrong value is nobody's mistake.
        ({"data": {**SPEC["data"], "train_limit": 8}, "training": {"batch_size": "x"}}, ["/training/batch_size"]),
        ({**TOO_LARGE, "regularizers": "l1"}, ["/regularizers", "/training/batch_size"]),
        ({"regularizers": ["l1", UNKNOWN]}, ["/regularizers/0", "/regularizers/1/select"]),
    ],
)  # fmt: skip
def test_only_what_does_not_hang_on_a_wrong_place_is_told(part: dict[str, Any], places: list[str]) -> None:
    assert wrong_places(SPEC | part) == places


@pytest.mark.parametrize("body", [None, [], "spec", {}, {"model": {"kind": "linear"}}])
def test_of_too_little_nothing_is_left(body: Any) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(body)

    assert mend(body, caught.value.errors) is None


def test_the_body_is_not_changed() -> None:
    body = {**SPEC, "regularizers": [{"kind": "l1"}]}

    wrong_places(body)

    assert body == {**SPEC, "regularizers": [{"kind": "l1"}]}


FULL: dict[str, Any] = {
    **SPEC,
    "task": {"kind": "auto", "loss": "auto"},
    "optimizer": {"kind": "adam", "learning_rate": 0.1, "schedule": {"kind": "cosine"}},
    "regularizers": [{"kind": "l1", "strength": 0.1}, UNKNOWN, {"kind": "early_stopping", "patience": 3}],
    "training": {"epochs": 2, "batch_size": 99_999},
    "resources": {"device": "cpu"},
}
REPLACEABLE = [
    *(f"/{name}" for name in FULL),
    *(f"/{name}/{field}" for name, part in FULL.items() if isinstance(part, dict) for field in part),
    *(f"/regularizers/{k}/{field}" for k, part in enumerate(FULL["regularizers"]) for field in part),
    "/regularizers/0",
    "/model/hidden/0",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "l1", "digits", "kind"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["kind", "p"]), children),
    max_leaves=4,
)


# The machine may be busy, and the first error builds the whole schema.
@settings(deadline=None)
@given(pointers=st.lists(st.sampled_from(REPLACEABLE), min_size=1, max_size=3), value=json_values)
def test_whatever_comes_is_a_plan_or_errors_that_lie_in_what_was_sent(pointers: list[str], value: Any) -> None:
    spec: Any = FULL
    for pointer in pointers:
        if look_up(spec, pointer, must_exist=True) is None:
            spec = apply_patch(spec, [{"op": "replace", "path": pointer, "value": value}])

    try:
        make_plan(spec, Ceilings())
    except SpecError as error:
        wrong = error.errors
    else:
        wrong = []

    for one in wrong:
        parts = one.pointer.split("/")[1:3] if one.pointer.startswith("/regularizers/") else []
        assert not parts or int(parts[1]) < 3
        assert one.code
        assert one.message
