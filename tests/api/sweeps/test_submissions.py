from typing import Any

from api.services import Services
from api.sweeps.submissions import new_sweep, plan_members

Json = dict[str, Any]
STRENGTH = "/regularizers/0/strength"


def test_where_seeds_draw_their_splits_the_first_is_trained_in_every_combination_first(
    services: Services, sweep_spec: Json
) -> None:
    members = new_sweep(plan_members(services, "default", {**sweep_spec, "seeds": [7, 3], "vary_split": True})).members

    assert [((one.sweep or {})["seed"], one.turn) for one in members] == [(7, 0), (3, 1)] * 3


def test_each_member_knows_its_place(services: Services, sweep_spec: Json) -> None:
    sweep = new_sweep(plan_members(services, "default", sweep_spec))

    assert [(one.sweep or {})["candidate"] for one in sweep.members] == ["0", "0", "1", "1", "2", "2"]
    assert all("rungs" not in (one.sweep or {}) for one in sweep.members)
    assert len({one.fusion_key for one in sweep.members}) == 1
    assert sweep.spec["base"] == sweep_spec["base"]


def test_members_of_a_halving_know_their_rungs(services: Services, sweep_spec: Json) -> None:
    sweep_spec["base"]["training"]["epochs"] = 10
    strategy = {"kind": "halving", "eta": 3, "min_epochs": 1}

    sweep = new_sweep(plan_members(services, "default", {**sweep_spec, "strategy": strategy}))

    rungs = (sweep.members[0].sweep or {})["rungs"]
    assert rungs == {"epochs": [1, 3, 9], "eta": 3, "metric": "validation/loss", "mode": "min"}


def test_members_of_a_halving_start_in_another_order_than_that_of_their_values(
    services: Services, sweep_spec: Json
) -> None:
    sweep_spec["axes"][0] = {"pointer": STRENGTH, "values": [10.0**-k for k in range(1, 9)]}
    sweep_spec["strategy"] = {"kind": "halving"}
    sweep_spec["base"]["training"]["epochs"] = 10

    members = new_sweep(plan_members(services, "default", sweep_spec)).members

    turns = [member.turn for member in members]
    assert turns[::2] == turns[1::2]  # a candidate's two seeds
    assert sorted(turns[::2]) == list(range(8)) != turns[::2]
