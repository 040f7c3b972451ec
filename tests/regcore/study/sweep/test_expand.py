import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from regcore.errors import SpecError
from regcore.study.sweep import expand, parse_sweep

Make = Callable[..., dict[str, Any]]
Spec = dict[str, Any]
STRENGTH = "/regularizers/0/strength"
RATE = "/optimizer/learning_rate"


def test_a_grid_is_every_combination_of_the_axes(sweep: Make, resolved: Spec) -> None:
    axes = [{"pointer": STRENGTH, "values": [1e-3, 1e-2]}, {"pointer": RATE, "values": [0.1, 0.2, 0.3]}]

    candidates = expand(parse_sweep(sweep(axes=axes)), resolved, 100)

    expected = list(itertools.product([1e-3, 1e-2], [0.1, 0.2, 0.3]))
    assert [(one.values[STRENGTH], one.values[RATE]) for one in candidates] == expected
    specs = [(one.spec["regularizers"][0]["strength"], one.spec["optimizer"]["learning_rate"]) for one in candidates]
    assert specs == expected


def test_no_axis_is_the_base_alone(sweep: Make, resolved: Spec) -> None:
    (candidate,) = expand(parse_sweep(sweep()), resolved, 100)

    assert (candidate.variant, candidate.values, candidate.spec) == (None, {}, resolved)


@pytest.mark.parametrize(
    ("kind", "points"), [("log", np.geomspace(1e-6, 1e-1, 6)), ("linear", np.linspace(1e-6, 1e-1, 6))]
)
def test_a_range_has_both_its_ends(kind: str, points: Any, sweep: Make, resolved: Spec) -> None:
    axis = {"pointer": STRENGTH, "range": {"kind": kind, "low": 1e-6, "high": 1e-1, "num_points": 6}}

    candidates = expand(parse_sweep(sweep(axes=[axis])), resolved, 100)

    values = [one.values[STRENGTH] for one in candidates]
    assert (values[0], values[-1]) == (1e-6, 1e-1)
    assert values == pytest.approx(points, rel=1e-12)


def test_a_range_over_whole_numbers_has_each_once(sweep: Make, resolved: Spec) -> None:
    axis = {"pointer": "/training/epochs", "range": {"kind": "linear", "low": 1, "high": 3, "num_points": 9}}

    candidates = expand(parse_sweep(sweep(axes=[axis])), resolved, 100)

    assert [one.spec["training"]["epochs"] for one in candidates] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_a_range_is_not_rounded_where_a_patch_has_written_a_whole_number(
    kind: str, sweep: Make, resolved: Spec
) -> None:
    patch = [{"op": "replace", "path": "/regularizers/0", "value": {"kind": kind, "strength": 1}}]
    axis = {"pointer": STRENGTH, "range": {"kind": "log", "low": 1e-4, "high": 1, "num_points": 5}}

    candidates = expand(parse_sweep(sweep(variants=[{"name": "v", "patch": patch, "axes": [axis]}])), resolved, 100)

    assert [one.values[STRENGTH] for one in candidates] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])


@pytest.mark.parametrize(
    ("pointer", "there"),
    [
        ("/training/epochs", 9),
        ("/training/batch_size", 64),
        ("/training/batch_size", "full"),
        ("/data/train_limit", None),
        ("/model/hidden/0", 8),
        ("/model/hidden/-", None),
    ],
)
def test_a_range_is_rounded_where_only_whole_numbers_will_do(
    pointer: str, there: Any, sweep: Make, resolved: Spec
) -> None:
    patch = [{"op": "add", "path": pointer, "value": there}] if there else []
    axis = {"pointer": pointer, "range": {"kind": "log", "low": 4, "high": 16, "num_points": 4}}

    candidates = expand(parse_sweep(sweep(variants=[{"name": "v", "patch": patch, "axes": [axis]}])), resolved, 100)

    values = [one.values[pointer] for one in candidates]
    assert values == [4, 6, 10, 16]
    assert all(isinstance(value, int) for value in values)


def test_a_range_is_rounded_by_what_another_axis_has_put_around_it(sweep: Make, resolved: Spec) -> None:
    axes = [
        {"pointer": "/regularizers/0", "values": [{"kind": "early_stopping"}]},
        {"pointer": "/regularizers/0/patience", "range": {"kind": "linear", "low": 1, "high": 4, "num_points": 3}},
    ]

    candidates = expand(parse_sweep(sweep(axes=axes)), resolved, 100)

    assert [one.spec["regularizers"][0]["patience"] for one in candidates] == [1, 2, 4]


def test_equal_json_is_one_value(sweep: Make, resolved: Spec) -> None:
    values = [0, 0.0, -0.0, False, {"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}, "0"]

    candidates = expand(parse_sweep(sweep(axes=[{"pointer": "/x", "values": values}])), resolved, 100)

    kept = [repr(one.values["/x"]) for one in candidates]
    assert kept == ["0", "False", "{'a': 1, 'b': [2]}", "'0'"]


def test_null_removes_a_regularizer(sweep: Make, resolved: Spec) -> None:
    axis = {"pointer": "/regularizers/0", "values": [None, {"kind": "l2", "strength": 1.0}]}

    without, replaced = expand(parse_sweep(sweep(axes=[axis])), resolved, 100)

    assert [one["kind"] for one in without.spec["regularizers"]] == ["dropout"]
    assert [one["kind"] for one in replaced.spec["regularizers"]] == ["l2", "dropout"]


def test_null_gives_a_field_its_default_back(sweep: Make, resolved: Spec) -> None:
    (candidate,) = expand(parse_sweep(sweep(axes=[{"pointer": RATE, "values": [None]}])), resolved, 100)

    assert "learning_rate" not in candidate.spec["optimizer"]


def test_a_removed_regularizer_does_not_shift_the_others_places(sweep: Make, resolved: Spec) -> None:
    axes = [{"pointer": "/regularizers/0", "values": [None]}, {"pointer": "/regularizers/1/p", "values": [0.1]}]

    (candidate,) = expand(parse_sweep(sweep(axes=axes)), resolved, 100)

    assert [(one["kind"], one.get("p")) for one in candidate.spec["regularizers"]] == [("dropout", 0.1)]


def test_all_may_be_removed_at_once(sweep: Make, resolved: Spec) -> None:
    axes = [{"pointer": f"/regularizers/{k}", "values": [None]} for k in (0, 1)]

    (candidate,) = expand(parse_sweep(sweep(axes=axes)), resolved, 100)

    assert candidate.spec["regularizers"] == []


def test_what_lies_in_a_removed_place_does_not_multiply(sweep: Make, resolved: Spec) -> None:
    axes = [
        {"pointer": STRENGTH, "values": [1.0, 2.0, 3.0]},
        {"pointer": "/regularizers/0", "values": [None, {"kind": "l1", "strength": 9.0}]},
    ]

    candidates = expand(parse_sweep(sweep(axes=axes)), resolved, 100)

    strengths = [[r["strength"] for r in one.spec["regularizers"] if r["kind"] == "l1"] for one in candidates]
    assert strengths == [[], [1.0], [2.0], [3.0]]
    assert candidates[0].values == {STRENGTH: None, "/regularizers/0": None}


@pytest.mark.parametrize("place", ["2", "-"])
def test_the_place_behind_a_list_can_be_filled(place: str, sweep: Make, resolved: Spec) -> None:
    axis = {"pointer": f"/regularizers/{place}", "values": [None, {"kind": "l2", "strength": 1.0}]}

    nothing, more = expand(parse_sweep(sweep(axes=[axis])), resolved, 100)

    assert len(nothing.spec["regularizers"]) == 2
    assert [one["kind"] for one in more.spec["regularizers"]] == ["l1", "dropout", "l2"]


def test_what_goes_behind_a_list_goes_behind_all_that_others_put_into_it(sweep: Make, resolved: Spec) -> None:
    axes = [
        {"pointer": "/model/hidden/-", "values": [1]},
        {"pointer": "/model/hidden/1", "values": [2]},
        {"pointer": "/model/hidden", "values": [[3]]},
    ]

    (candidate,) = expand(parse_sweep(sweep(axes=axes)), {**resolved, "model": {"hidden": [8, 8]}}, 100)

    assert candidate.spec["model"]["hidden"] == [3, 2, 1]


def test_the_base_is_not_changed(sweep: Make, resolved: Spec) -> None:
    before = repr(resolved)

    expand(parse_sweep(sweep(axes=[{"pointer": STRENGTH, "values": [5.0]}])), resolved, 100)

    assert repr(resolved) == before


def test_each_variant_is_tuned_on_its_own_axes_and_the_common_ones(sweep: Make, resolved: Spec) -> None:
    variants = [
        {"name": "plain", "patch": [{"op": "replace", "path": "/regularizers", "value": []}]},
        {"name": "l1", "axes": [{"pointer": STRENGTH, "values": [1.0, 2.0]}]},
        {"name": "slow", "axes": [{"pointer": RATE, "values": [0.001]}]},
    ]
    axes = [{"pointer": RATE, "values": [0.1, 0.2]}]

    candidates = expand(parse_sweep(sweep(variants=variants, axes=axes)), resolved, 100)

    found = [(one.variant, one.values.get(STRENGTH), one.values[RATE]) for one in candidates]
    assert found == [
        ("plain", None, 0.1),
        ("plain", None, 0.2),
        *[("l1", strength, rate) for rate in (0.1, 0.2) for strength in (1.0, 2.0)],
        ("slow", None, 0.001),
    ]
    assert candidates[0].spec["regularizers"] == []


def test_random_trials_follow_from_their_seed(sweep: Make, resolved: Spec) -> None:
    axes = [
        {"pointer": STRENGTH, "range": {"kind": "log", "low": 1e-6, "high": 1e-2}},
        {"pointer": RATE, "values": [0.1, 0.2]},
    ]

    def trials(seed: int) -> list[dict[str, Any]]:
        spec = parse_sweep(sweep(axes=axes, strategy={"kind": "random", "num_trials": 200, "seed": seed}))
        return [one.values for one in expand(spec, resolved, 1000)]

    assert trials(0) == trials(0) != trials(1)
    exponents = np.log10([values[STRENGTH] for values in trials(0)])
    assert len(exponents) == 200
    assert -6 <= exponents.min() < exponents.max() <= -2
    assert np.median(exponents) == pytest.approx(-4, abs=0.5)
    assert {values[RATE] for values in trials(0)} == {0.1, 0.2}


def test_an_ablation_leaves_out_each_regularizer(sweep: Make, resolved: Spec) -> None:
    resolved["regularizers"].append({"kind": "l1", "strength": 0.5})

    candidates = expand(parse_sweep(sweep(strategy={"kind": "ablation"})), resolved, 100)

    kinds = {one.variant: [(r["kind"], r.get("strength")) for r in one.spec["regularizers"]] for one in candidates}
    assert kinds == {
        "full": [("l1", 1e-4), ("dropout", None), ("l1", 0.5)],
        "without l1": [("dropout", None), ("l1", 0.5)],
        "without dropout": [("l1", 1e-4), ("l1", 0.5)],
        "without l1_2": [("l1", 1e-4), ("dropout", None)],
    }
    assert candidates[1].values == {"/regularizers/0": None}


def test_an_ablation_of_nothing_is_refused(sweep: Make, resolved: Spec) -> None:
    with pytest.raises(SpecError, match="it has none"):
        expand(parse_sweep(sweep(strategy={"kind": "ablation"})), {**resolved, "regularizers": []}, 100)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"axes": [{"pointer": "/regularizers/5/strength", "values": [1]}]}, "/axes/0/pointer"),
        ({"axes": [{"pointer": "", "values": [1]}]}, "/axes/0/pointer"),
        (
            {"variants": [{"name": "v", "axes": [{"pointer": "/modell/x", "values": [1]}]}]},
            "/variants/0/axes/0/pointer",
        ),
        (
            {"variants": [{"name": "v", "patch": [{"op": "remove", "path": "/nothing"}]}]},
            "/variants/0/patch/0/path",
        ),
        (
            {
                "axes": [
                    {"pointer": "/model", "values": [{"kind": "linear"}]},
                    {"pointer": "/model/hidden/0", "values": [16]},
                ]
            },
            "/axes/1/values/0",
        ),
        (
            {"variants": [{"name": v, "patch": [{"op": "remove", "path": "/regularizers/1"}]} for v in "ab"]}
            | {"axes": [{"pointer": "/regularizers/1/p", "values": [0.1]}]},
            "/axes/0/pointer",
        ),
        (
            {"variants": [{"name": "v", "patch": [{"op": "replace", "path": "", "value": 5}]}]}
            | {"axes": [{"pointer": STRENGTH, "values": [1]}]},
            "/axes/0/pointer",
        ),
        (
            {"axes": [{"pointer": f"/regularizers/{place}", "values": [{"kind": "l2"}]} for place in ("2", "-")]},
            "/axes/1/pointer",
        ),
    ],
)
def test_what_leads_nowhere_or_where_another_leads_is_named(
    fields: dict[str, Any], pointer: str, sweep: Make, resolved: Spec
) -> None:
    with pytest.raises(SpecError) as caught:
        expand(parse_sweep(sweep(**fields)), resolved, 100)

    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_too_many_members_are_refused_before_any_is_made(sweep: Make, resolved: Spec) -> None:
    axes = [{"pointer": f"/x{k}", "values": list(range(1, 1001))} for k in range(12)]

    with pytest.raises(SpecError, match="at most 10,000 members") as caught:
        expand(parse_sweep(sweep(axes=axes)), resolved, 10_000)

    assert "1,000" in caught.value.errors[0].message


def test_an_ablation_has_the_same_ceiling(sweep: Make, resolved: Spec) -> None:
    ablation = parse_sweep(sweep(strategy={"kind": "ablation"}, seeds=[0, 1, 2, 3]))

    with pytest.raises(SpecError, match=r"at most 11 members .* has 12 \(3 combinations, 4 seeds\)") as caught:
        expand(ablation, resolved, 11)

    assert caught.value.errors[0].pointer == "/seeds"
    assert len(expand(ablation, resolved, 12)) == 3


def test_a_value_with_a_point_is_whole_where_only_whole_numbers_will_do(sweep: Make, resolved: Spec) -> None:
    axes = [{"pointer": "/training/batch_size", "values": [2, 4.0, 1e3]}, {"pointer": STRENGTH, "values": [2.0]}]

    found = expand(parse_sweep(sweep(axes=axes)), resolved, 100)

    assert repr([one.values["/training/batch_size"] for one in found]) == "[2, 4, 1000]"
    assert repr(found[0].values[STRENGTH]) == "2.0"


def test_a_value_with_a_fraction_stays_for_the_spec_to_refuse(sweep: Make, resolved: Spec) -> None:
    (found,) = expand(parse_sweep(sweep(axes=[{"pointer": "/training/batch_size", "values": [3.5]}])), resolved, 100)

    assert found.spec["training"]["batch_size"] == 3.5


@pytest.mark.parametrize("strategy", [{"kind": "grid"}, {"kind": "random", "num_trials": 20}])
def test_a_range_may_be_wider_than_any_float_can_say(strategy: Any, sweep: Make, resolved: Spec) -> None:
    axis = {"pointer": STRENGTH, "range": {"kind": "log", "low": 1e-300, "high": 1e10, "num_points": 32}}

    found = [one.values[STRENGTH] for one in expand(parse_sweep(sweep(axes=[axis], strategy=strategy)), resolved, 100)]

    assert all(1e-300 <= value <= 1e10 for value in found)
    assert 1e-220 < sorted(found)[len(found) // 2] < 1e-70  # half-way between the ends' logarithms is 1e-145
