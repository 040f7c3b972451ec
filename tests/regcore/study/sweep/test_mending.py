"""What is wrong in a sweep is told all at once, and nothing else with it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regcore.errors import SpecError
from regcore.spec import apply_patch
from regcore.spec.patch import look_up
from regcore.study.sweep import plan_sweep

Make = Callable[..., dict[str, Any]]
STRENGTH = "/regularizers/0/strength"
TOO_LARGE = {"batch_size": 10**6}
NO_STRENGTH = {"pointer": STRENGTH, "values": [0.1, -1]}
NOWHERE = {"pointer": "/nope/x", "values": [1]}
LOG = {"kind": "log", "low": 1e-3, "high": 1.0}
BATCH, EPOCHS = "/base/training/batch_size", "/base/training/epochs"


def refused(body: Any) -> set[str]:
    with pytest.raises(SpecError) as caught:
        plan_sweep(body)
    pointers = [error.pointer for error in caught.value.errors]
    assert len(pointers) == len(set(pointers))
    return set(pointers)


@pytest.mark.parametrize(
    ("training", "fields", "wrong"),
    [
        (TOO_LARGE, {"seeds": [2**33], "vary_split": True}, {BATCH, "/seeds/0"}),
        (
            TOO_LARGE,
            {"seeds": [-1], "objective": {"metric": "val_loss"}},
            {BATCH, "/seeds/0", "/objective/metric"},
        ),
        ({}, {"axes": [NO_STRENGTH, NOWHERE], "seeds": [2**63]}, {"/axes/0/values/1", "/axes/1/pointer", "/seeds/0"}),
        (
            {},
            {"axes": [NOWHERE, NO_STRENGTH], "seeds": [2**33], "vary_split": True, "objective": {"metric": "train/r2"}},
            {"/axes/0/pointer", "/axes/1/values/1", "/seeds/0", "/objective/metric"},
        ),
        (
            {},
            {"axes": [NO_STRENGTH], "objective": {"metric": "validation/mae"}},
            {"/axes/0/values/1", "/objective/metric"},
        ),
        ({"epochs": 0}, {"axes": [NO_STRENGTH, NOWHERE]}, {EPOCHS, "/axes/0/values/1", "/axes/1/pointer"}),
        (
            {"epochs": 0},
            {"variants": [
                {"name": "a", "patch": [{"op": "remove", "path": "/nope"}]},
                {"name": "a"},
                {"name": "b", "axes": [NO_STRENGTH]},
            ]},
            {EPOCHS, "/variants/0/patch/0/path", "/variants/1/name", "/variants/2/axes/0/values/1"},
        ),
        ({}, {"seed": 1, "axes": [{"pointer": "/training/seed", "values": [1]}, NO_STRENGTH], "strategy": "grit"},
         {"/seed", "/strategy", "/axes/0/pointer", "/axes/1/values/1"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_all_at_once(
    training: dict[str, Any], fields: dict[str, Any], wrong: set[str], sweep: Make, base: dict[str, Any]
) -> None:
    base["training"] |= training

    assert refused(sweep(**fields)) == wrong


@pytest.mark.parametrize(
    ("changes", "fields", "wrong"),
    [
        # Of what a range needs, and of what is drawn from, the strategy and axes say the rest.
        ({}, {"strategi": {"kind": "random"}, "axes": [{"pointer": STRENGTH, "range": LOG}]}, {"/strategi"}),
        ({}, {"strategy": {"kind": "random"}, "axes": [{"pointer": STRENGTH, "range": LOG}]}, {"/strategy/num_trials"}),
        ({}, {"strategy": {"kind": "random", "num_trials": 2}, "axes": [{"pointer": "/a"}]}, {"/axes/0"}),
        # What lies in a wrong place of the base is not known.
        (
            {"regularizers": [{"kind": "l1"}, {"kind": "dropout", "p": 0.5}]},
            {"axes": [{"pointer": "/regularizers/1/p", "values": [7]}]},
            {"/base/regularizers/0/strength"},
        ),
        ({"regularizers": [{"kind": "l1"}]}, {"strategy": {"kind": "ablation"}}, {"/base/regularizers/0/strength"}),
        ({"model": "mlp"}, {"axes": [{"pointer": "/model/hidden/0", "values": [4]}]}, {"/base/model"}),
        # A patch that cannot be read may have put there what an axis points at.
        (
            {},
            {
                "axes": [{"pointer": "/regularizers/2/p", "values": [0.5]}],
                "variants": [{"name": "v", "patch": [{"op": "ad", "path": "/regularizers/-", "value": {}}]}],
            },
            {"/variants/0/patch/0/op"},
        ),
    ],
)  # fmt: skip
def test_only_what_does_not_hang_on_it_is_told_with_it(
    changes: dict[str, Any], fields: dict[str, Any], wrong: set[str], sweep: Make, base: dict[str, Any]
) -> None:
    base |= changes

    assert refused(sweep(**fields)) == wrong


@pytest.mark.parametrize("base", [None, 5, {}, {"model": {"kind": "linear"}}])
def test_without_a_base_the_sweeps_own_fields_are_looked_at(base: Any) -> None:
    wrong = refused({"base": base, "seeds": [1, 1], "objective": {"metric": "test/loss"}})

    assert {"/seeds/1", "/objective/metric"} <= wrong


FULL: dict[str, Any] = {
    "base": {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [4]},
        "regularizers": [{"kind": "l1", "strength": 0.1}, {"kind": "dropout", "p": 0.5}],
        "training": {"epochs": 2, "batch_size": 99_999},
    },
    "axes": [NO_STRENGTH, {"pointer": "/training/epochs", "range": LOG | {"num_points": 3}}, NOWHERE],
    "variants": [
        {"name": "a", "patch": [{"op": "remove", "path": "/regularizers/1"}], "axes": [NO_STRENGTH]},
        {"name": "b"},
    ],
    "seeds": [0, 2**33],
    "vary_split": True,
    "strategy": {"kind": "random", "num_trials": 3},
    "objective": {"metric": "validation/r2"},
}


def places(value: Any, at: str = "") -> list[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for name, part in items for place in places(part, f"{at}/{name}"))]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "l1", "grid", "/axes/0"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.sampled_from(["kind", "name"]), children),
    max_leaves=4,
)


# The machine may be busy, and the first error builds the whole schema.
@settings(deadline=None)
@given(pointers=st.lists(st.sampled_from(places(FULL)[1:]), min_size=1, max_size=4), value=json_values)
def test_whatever_comes_is_refused_with_errors_that_lie_in_what_was_sent(pointers: list[str], value: Any) -> None:
    body: Any = FULL
    for pointer in pointers:
        if look_up(body, pointer, must_exist=True) is None:
            body = apply_patch(body, [{"op": "replace", "path": pointer, "value": value}])

    with pytest.raises(SpecError) as caught:
        plan_sweep(body)

    for one in caught.value.errors:
        holder = one.pointer.rpartition("/")[0]
        is_there = look_up(body, one.pointer, must_exist=True) is None
        assert is_there or look_up(body, holder, must_exist=True) is None, one
        assert one.message
