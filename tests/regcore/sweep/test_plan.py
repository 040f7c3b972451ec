from collections.abc import Callable
from typing import Any

import pytest

from regcore.errors import SpecError
from regcore.plan import Ceilings, make_plan
from regcore.spec import parse_spec
from regcore.sweep import plan_sweep

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
        ("validation/mae", "validation/loss, validation/accuracy for classification"),
        ("validation/r2", "validation/loss"),
    ],
)
def test_the_objective_must_be_of_the_task(metric: str, said: str, sweep: Make) -> None:
    with pytest.raises(SpecError, match=said):
        plan_sweep(sweep(objective={"metric": metric}))


def test_the_objective_needs_its_split(sweep: Make, base: dict[str, Any]) -> None:
    base["data"]["validation_fraction"] = 0

    with pytest.raises(SpecError, match=r"Raise data\.validation_fraction"):
        plan_sweep(sweep())

    assert plan_sweep(sweep(objective={"metric": "train/loss"})).members


def test_warnings_are_given_once(sweep: Make, base: dict[str, Any]) -> None:
    base["optimizer"] = {"kind": "sgd", "learning_rate": 5.0}
    alone = {(one.code, one.pointer) for one in make_plan(parse_spec(base)).warnings}

    plan = plan_sweep(sweep(axes=[{"pointer": "/regularizers/1/p", "values": [0.1, 0.2]}]))

    found = [(one.code, one.pointer) for one in plan.warnings]
    assert len(found) == len(set(found))
    assert set(found) == alone
