from collections.abc import Callable
from typing import Any

import pytest

from regcore.errors import SpecError
from regcore.plan import Ceilings, make_plan
from regcore.spec import parse_spec
from regcore.study.sweep import plan_sweep

Make = Callable[..., dict[str, Any]]
STRENGTH = "/regularizers/0/strength"


def refused(body: Any, *args: Any) -> list[str]:
    """Where a sweep is wrong."""
    with pytest.raises(SpecError) as caught:
        plan_sweep(body, *args)
    return [error.pointer for error in caught.value.errors]


@pytest.mark.parametrize("vary_split", [False, True])
def test_each_member_is_planned_as_if_it_were_submitted_alone(vary_split: bool, sweep: Make) -> None:
    axes = [{"pointer": STRENGTH, "values": [1e-3, 1e-2]}, {"pointer": "/model/hidden", "values": [[4], [4, 4]]}]

    plan = plan_sweep(sweep(axes=axes, seeds=[7, 8], vary_split=vary_split))

    assert len(plan.candidates) == 4
    assert [member.seed for member in plan.members] == [7, 8] * 4
    for member in plan.members:
        assert member.plan == make_plan(parse_spec(member.spec))


def test_a_short_body_cannot_ask_for_plans_without_end(sweep: Make) -> None:
    deep = {"kind": "layers", "layers": [{"kind": "activation"}] * 300 + [{"kind": "linear"}]}
    body = sweep(axes=[{"pointer": "/model", "values": [deep]}, {"pointer": STRENGTH, "values": [1e-3, 1e-2]}])
    one_bytes = len(plan_sweep(body).members[0].plan.model_dump_json())
    num_members = len(plan_sweep(body).members)

    assert refused(body, None, 100, (num_members - 1) * one_bytes) == ["/axes"]


def test_members_that_differ_in_strength_and_seed_alone_may_train_in_one_pass(sweep: Make) -> None:
    plan = plan_sweep(sweep(axes=[{"pointer": STRENGTH, "values": [1e-3, 1e-2]}]))

    assert len({member.plan.fusion_key for member in plan.members}) == 1


def test_a_wrong_base_is_named_in_the_base(sweep: Make, base: dict[str, Any]) -> None:
    base["model"]["kind"] = "mpl"

    assert refused(sweep()) == ["/base/model/kind"]


def test_every_wrong_value_is_named(sweep: Make) -> None:
    axes = [{"pointer": STRENGTH, "values": [1.0, -1.0, "x"]}, {"pointer": "/training/epochs", "values": [1, 0]}]

    assert set(refused(sweep(axes=axes))) == {"/axes/0/values/1", "/axes/0/values/2", "/axes/1/values/1"}


def test_thousands_of_errors_are_cut_off(sweep: Make) -> None:
    axes = [{"pointer": STRENGTH, "values": [-float(k) for k in range(1, 500)]}]

    assert len(refused(sweep(axes=axes))) == 20


def test_the_ceilings_of_jobs_hold_for_members(sweep: Make) -> None:
    axes = [{"pointer": "/training/epochs", "values": [5, 10, 11]}]

    assert refused(sweep(axes=axes), Ceilings(epochs=10)) == ["/axes/0/values/2"]


def test_a_sweep_has_its_own_ceiling(sweep: Make) -> None:
    axes = [{"pointer": STRENGTH, "values": [1.0, 2.0, 3.0]}]

    assert refused(sweep(axes=axes, seeds=[0, 1]), None, 5) == ["/axes"]
    assert len(plan_sweep(sweep(axes=axes, seeds=[0, 1]), None, 6).members) == 6


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("validation/mae", "validation/loss, validation/accuracy, .* for classification"),
        ("validation/r2", "validation/loss"),
    ],
)
def test_the_objective_must_be_of_the_task(metric: str, said: str, sweep: Make) -> None:
    with pytest.raises(SpecError, match=said):
        plan_sweep(sweep(objective={"metric": metric}))


def test_the_objective_needs_its_split(sweep: Make, base: dict[str, Any]) -> None:
    base["data"]["validation_fraction"] = 0

    with pytest.raises(SpecError, match=r"Raise data\.validation_fraction") as caught:
        plan_sweep(sweep())

    assert caught.value.errors[0].pointer == "/base/data/validation_fraction"
    assert plan_sweep(sweep(objective={"metric": "train/loss"})).members


@pytest.mark.parametrize("strategy", [{"kind": "grid"}, {"kind": "halving"}])
def test_every_member_must_have_the_objective(strategy: dict[str, Any], sweep: Make) -> None:
    axes = [{"pointer": "/data/validation_fraction", "values": [0.2, 0]}]

    assert refused(sweep(axes=axes, strategy=strategy)) == ["/axes/0/values/1"]


def test_a_variant_without_the_objective_is_named(sweep: Make) -> None:
    variants = [
        {"name": "held out"},
        {"name": "all rows", "patch": [{"op": "replace", "path": "/data/validation_fraction", "value": 0}]},
    ]

    assert refused(sweep(variants=variants)) == ["/variants/1"]


def test_members_may_have_an_objective_that_the_base_lacks(sweep: Make, base: dict[str, Any]) -> None:
    base["data"]["validation_fraction"] = 0

    assert plan_sweep(sweep(axes=[{"pointer": "/data/validation_fraction", "values": [0.1, 0.2]}])).members


BINARY = {"kind": "builtin", "name": "breast-cancer"}


@pytest.mark.parametrize(
    ("pointer", "values", "metric", "wrong"),
    [
        ("/task/class_weights", [None, "balanced"], "validation/loss", "/axes/0/values/1"),
        ("/task/class_weights", ["balanced", None], "validation/loss", "/axes/0/values/0"),
        ("/task/class_weights", [[1.0, 2.0], [1.0, 3.0]], "validation/loss", "/axes/0/values/1"),
        ("/task/class_weights", [None, "balanced"], "validation/accuracy", None),
        ("/task/class_weights", ["balanced"], "validation/loss", None),
        ("/task/loss", ["auto", "binary_cross_entropy"], "train/loss", "/axes/0/values/1"),
        ("/task/loss", ["auto", "binary_cross_entropy"], "train/accuracy", None),
        ("/task", [{}, {"loss": "binary_cross_entropy"}], "train/loss", "/axes/0/values/1/loss"),
        ("/data/name", ["breast-cancer", "digits"], "validation/accuracy", "/axes/0/values/1"),
        ("/data", [BINARY, {**BINARY, "name": "wine"}], "validation/loss", "/axes/0/values/1/name"),
        ("/data", [BINARY, {**BINARY, "train_limit": 50}], "validation/loss", None),
    ],
)
def test_what_is_ranked_is_of_one_data_set_and_in_one_unit(
    pointer: str, values: list[Any], metric: str, wrong: str | None, sweep: Make, base: dict[str, Any]
) -> None:
    base["data"], base["training"] = BINARY, {"batch_size": 16}
    body = sweep(axes=[{"pointer": pointer, "values": values}], objective={"metric": metric})

    if wrong is None:
        assert plan_sweep(body).members
    else:
        with pytest.raises(SpecError, match=f"{metric} cannot be ranked where .* Make a sweep of each") as caught:
            plan_sweep(body)
        assert [error.pointer for error in caught.value.errors] == [wrong]


def test_what_cannot_be_ranked_is_named_once_in_however_many_combinations_it_is(sweep: Make) -> None:
    axes = [
        {"pointer": "/task/class_weights", "values": [None, "balanced"]},
        {"pointer": STRENGTH, "values": [0.1, 0.2, 0.3]},
    ]

    assert refused(sweep(axes=axes)) == ["/axes/0/values/1"]


def test_a_variant_with_another_loss_than_the_base_is_named_whichever_comes_first(
    sweep: Make, base: dict[str, Any]
) -> None:
    base["data"] = {"kind": "builtin", "name": "diabetes"}
    huber = {"name": "huber", "patch": [{"op": "replace", "path": "/task/loss", "value": "huber"}]}

    assert refused(sweep(variants=[huber, {"name": "mse"}])) == ["/variants/0"]
    assert refused(sweep(variants=[{"name": "mse"}, huber])) == ["/variants/1"]


@pytest.mark.parametrize(
    ("fields", "pointer", "said"),
    [
        ({"axes": [{"pointer": "/training", "values": [5]}]}, "/axes/0/values/0", "training must be a JSON object"),
        ({"axes": [{"pointer": "/training", "values": [[1]]}]}, "/axes/0/values/0", "training must be a JSON object"),
        ({"axes": [{"pointer": "/data", "values": [None]}], "vary_split": True}, "/axes/0/values/0", "is missing"),
        ({"axes": [{"pointer": "/data", "values": ["x"]}], "vary_split": True}, "/axes/0/values/0", "data must be"),
        (
            {"variants": [{"name": "v", "patch": [{"op": "replace", "path": "", "value": 5}]}]},
            "/variants/0",
            "must be a JSON object; received 5",
        ),
        (
            {"variants": [{"name": "v", "patch": [{"op": "replace", "path": "/training", "value": [1]}]}]},
            "/variants/0",
            "training must be a JSON object",
        ),
    ],
)
def test_what_is_no_object_is_named(fields: dict[str, Any], pointer: str, said: str, sweep: Make) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        plan_sweep(sweep(**fields))

    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_a_wrong_value_behind_a_removed_one_is_named(sweep: Make) -> None:
    axes = [{"pointer": "/regularizers/0", "values": [None]}, {"pointer": "/regularizers/1/p", "values": [7]}]

    assert refused(sweep(axes=axes)) == ["/axes/1/values/0"]


@pytest.mark.parametrize("axes", [[], [{"pointer": "/training/epochs", "values": [20, 9]}]])
def test_a_halving_judges_every_member(axes: list[Any], sweep: Make) -> None:
    def halving(min_epochs: int) -> dict[str, Any]:
        return sweep(axes=axes, strategy={"kind": "halving", "min_epochs": min_epochs})

    assert refused(halving(9)) == ["/strategy/min_epochs"]
    assert plan_sweep(halving(8)).members


def test_warnings_are_given_once(sweep: Make, base: dict[str, Any]) -> None:
    base["optimizer"] = {"kind": "sgd", "learning_rate": 5.0}
    alone = {(one.code, one.pointer) for one in make_plan(parse_spec(base)).warnings}

    plan = plan_sweep(sweep(axes=[{"pointer": "/regularizers/1/p", "values": [0.1, 0.2]}]))

    found = [(one.code, one.pointer) for one in plan.warnings]
    assert len(found) == len(set(found))
    assert set(found) == alone


def test_an_objective_that_can_have_no_value_is_refused(sweep: Make, base: dict[str, Any]) -> None:
    """R² of one row has none: every member would be without an objective, and none could be best."""
    base["data"] = {"kind": "builtin", "name": "diabetes", "validation_fraction": 0.0025}
    body = sweep(objective={"metric": "validation/r2", "mode": "max"})

    with pytest.raises(SpecError, match="needs at least 2 row"):
        plan_sweep(body)

    base["data"]["validation_fraction"] = 0.005
    assert plan_sweep(body).members


@pytest.mark.parametrize(("largest", "vary_split", "wrong"), [
    (2**32 - 1, True, []), (2**32, True, ["/seeds/1"]), (2**32, False, []), (2**63 - 1, False, []),
])  # fmt: skip
def test_a_seed_that_no_split_can_have_is_refused_where_it_was_sent(
    largest: int, vary_split: bool, wrong: list[str], sweep: Make
) -> None:
    body = sweep(seeds=[0, largest], vary_split=vary_split)

    assert (refused(body) if wrong else []) == wrong
    if not wrong:
        assert [parse_spec(member.spec).training.seed for member in plan_sweep(body).members] == [0, largest]


def test_a_seed_that_cannot_be_is_named_beside_the_wrong_values_of_an_axis(sweep: Make) -> None:
    axes = [{"pointer": STRENGTH, "values": [1.0, -1.0]}]

    assert set(refused(sweep(axes=axes, seeds=[2**33, 2**32], vary_split=True))) == {
        "/seeds/0",
        "/seeds/1",
        "/axes/0/values/1",
    }


def test_a_wrong_base_is_named_beside_what_is_wrong_in_the_sweep(sweep: Make, base: dict[str, Any]) -> None:
    base["training"]["epochs"] = 0

    assert refused(sweep(seeds=[1, 1], strategy={"kind": "random", "num_trials": 3})) == [
        "/seeds/1",
        "/axes",
        "/base/training/epochs",
    ]
