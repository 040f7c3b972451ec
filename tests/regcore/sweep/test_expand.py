import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from regcore.errors import FieldError, SpecError
from regcore.sweep import expand, parse_sweep

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
    ],
)
def test_what_leads_nowhere_is_named(fields: dict[str, Any], pointer: str, sweep: Make, resolved: Spec) -> None:
    with pytest.raises(SpecError) as caught:
        expand(parse_sweep(sweep(**fields)), resolved, 100)

    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_too_many_members_are_refused_before_any_is_made(sweep: Make, resolved: Spec) -> None:
    axes = [{"pointer": f"/x{k}", "values": list(range(1, 1001))} for k in range(12)]

    with pytest.raises(SpecError, match="at most 10,000 members") as caught:
        expand(parse_sweep(sweep(axes=axes)), resolved, 10_000)

    assert "1,000" in caught.value.errors[0].message


def test_each_seed_is_a_member_and_may_split_anew(sweep: Make, resolved: Spec) -> None:
    same = parse_sweep(sweep(seeds=[3, 5]))
    split = parse_sweep(sweep(seeds=[3, 5], vary_split=True))

    seeds = {
        name: [(s["training"]["seed"], s["data"]["split_seed"]) for _, s in expand(one, resolved, 9)[0].members(one)]
        for name, one in {"same": same, "split": split}.items()
    }

    assert seeds == {"same": [(3, 0), (5, 0)], "split": [(3, 3), (5, 5)]}


def test_an_error_points_at_what_put_the_wrong_value_there(sweep: Make, resolved: Spec) -> None:
    axes = [
        {"pointer": "/regularizers/0", "values": [{"kind": "l1", "strength": 1.0}]},
        {"pointer": STRENGTH, "values": [-1]},
    ]
    variants = [{"name": "v"}]
    (candidate,) = expand(parse_sweep(sweep(axes=axes, variants=variants)), resolved, 100)

    pointers = [
        candidate.explain(FieldError(pointer, "code", "is wrong")).pointer
        for pointer in (STRENGTH, "/regularizers/0/kind", "/training/epochs")
    ]

    assert pointers == ["/axes/1/values/0", "/axes/0/values/0/kind", "/variants/0"]
    assert "variant 'v'" in candidate.explain(FieldError(STRENGTH, "code", "is wrong")).message
