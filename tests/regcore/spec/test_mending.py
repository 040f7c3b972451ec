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
UP = {"kind": "step", "gamma": 10.0, "every_epochs": 1}
GROWING: dict[str, Any] = {"kind": "sgd", "schedule": UP}
GAMMA = "/optimizer/schedule/gamma"
LONG = {"training": {"epochs": 60}}
NOT_HELD_OUT = {**SPEC["data"], "validation_fraction": 0}
STOPPING = {"regularizers": [{"kind": "early_stopping"}]}
BEHIND = {"kind": "dropout", "p": 0.5, "where": ["dropout1"]}
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
        (
            {"model": {"kind": "mlp", "hidden": ["a", "b"]}, "regularizers": [UNKNOWN]},
            ["/model/hidden/0", "/model/hidden/1"],
        ),
        # The default in the place of a wrong value is nobody's mistake.
        ({"data": {**SPEC["data"], "train_limit": 8}, "training": {"batch_size": "x"}}, ["/training/batch_size"]),
        ({**TOO_LARGE, "regularizers": "l1"}, ["/regularizers", "/training/batch_size"]),
        ({"regularizers": ["l1", UNKNOWN]}, ["/regularizers/0", "/regularizers/1/select"]),
        # Layers may be those of a dropout that is wrong.
        ({"regularizers": [{"kind": "dropout", "p": 2}, BEHIND]}, ["/regularizers/0/p"]),
        # A rate or strength that nobody sent is multiplied.
        ({"optimizer": {**GROWING, "learning_rate": "1e-50"}, **LONG}, ["/optimizer/learning_rate"]),
        ({"optimizer": {**GROWING, "lr": 1e-50}, **LONG}, ["/optimizer/lr"]),
        (
            {"optimizer": {"kind": "sgd", "schedule": {**UP, "every_epochs": 0}}, **LONG},
            ["/optimizer/schedule/every_epochs"],
        ),
        # What an unknown name may have been meant for is not known.
        ({"optimizer": GROWING, "training": {"epoch": 3}}, ["/training/epoch"]),
        ({"optimizer": GROWING, "n_epochs": 3}, ["/n_epochs"]),
        ({"optimizer": GROWING, "train": {"epochs": 3}}, ["/train"]),
        ({"data": {**NOT_HELD_OUT, "val_split": 0.1}, **STOPPING}, ["/data/val_split"]),
    ],
)  # fmt: skip
def test_only_what_does_not_hang_on_a_wrong_place_is_told(part: dict[str, Any], places: list[str]) -> None:
    assert wrong_places(SPEC | part) == places


@pytest.mark.parametrize(
    ("part", "places"),
    [
        ({"optimizer": GROWING, "training": {"epochs": 60, "seed": -1}}, ["/training/seed", GAMMA]),
        ({"optimizer": GROWING, "training": {"epochs": 60, "foo": 1}}, ["/training/foo", GAMMA]),
        ({"optimizer": GROWING, "training": {"epochs": 60, "precision": "fp32"}}, ["/training/precision", GAMMA]),
        ({"optimizer": {**GROWING, "momentum": 2}, **LONG}, ["/optimizer/momentum", GAMMA]),
        ({**TOO_LARGE, "data": {**SPEC["data"], "random_state": 1}}, ["/data/random_state", "/training/batch_size"]),
        ({**TOO_LARGE, "data": {**SPEC["data"], "standardize": "yes"}}, ["/data/standardize", "/training/batch_size"]),
        ({"data": {**SPEC["data"], "validation_fraction": 0.9999, "split_seed": -1}}, ["/data/split_seed", "/data"]),
        (
            {"data": {**NOT_HELD_OUT, "random_state": 1}, **STOPPING},
            ["/data/random_state", "/regularizers/0"],
        ),
        (
            {"data": NOT_HELD_OUT, "regularizers": [{"kind": "early_stopping", "patience": 0}]},
            ["/regularizers/0/patience", "/regularizers/0"],
        ),
        (
            {"model": {**SPEC["model"], "act": "relu"}, "regularizers": [UNKNOWN]},
            ["/model/act", "/regularizers/0/select"],
        ),
        (
            {"model": {**SPEC["model"], "activation": "relo"}, "regularizers": [UNKNOWN]},
            ["/model/activation", "/regularizers/0/select"],
        ),
        (
            {"model": {"kind": "linear"}, "regularizers": [{"kind": "l1"}, {"kind": "dropout", "p": 0.5}]},
            ["/regularizers/0/strength", "/regularizers/1"],
        ),
        (
            {"model": {"kind": "layers", "layers": [{"kind": "linear", "features": 3, "foo": 1}]}},
            ["/model/layers/0/foo", "/model"],
        ),
        (
            {"task": {"loss": "mse", "class_weights": [0, 0]}},
            ["/task/class_weights/0", "/task/class_weights/1", "/task/loss"],
        ),
        ({"task": {"kind": "cluster", "loss": "mse"}}, ["/task/kind", "/task/loss"]),
        ({**TOO_LARGE, 1: 2}, ["/1", "/training/batch_size"]),
        ({"training": {"epochs": 10**5, "seed": -1}}, ["/training/seed", "/training/epochs"]),
    ],
)  # fmt: skip
def test_a_wrong_place_hides_nothing_that_does_not_follow_from_it(part: dict[Any, Any], places: list[str]) -> None:
    assert wrong_places(SPEC | part, Ceilings(epochs=1000)) == places


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
        holder = one.pointer.rpartition("/")[0]
        is_there = look_up(spec, one.pointer, must_exist=True) is None
        assert is_there or (one.code.startswith("missing_") and look_up(spec, holder, must_exist=True) is None), one
        assert one.message
