from typing import Any

import numpy as np
import pytest

from regclient import (
    Client,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    Sweep,
    SweepFailedError,
    WaitTimeoutError,
)

SPEC: dict[str, Any] = {
    "name": "strengths",
    "base": {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}},
}


@pytest.fixture
def client(server: Any) -> Any:
    with Client() as client:
        yield client


@pytest.fixture
def sweep(client: Client) -> Sweep:
    return client.sweeps.create(SPEC)


def test_create_sends_the_spec_as_it_is(server: Any, sweep: Sweep) -> None:
    assert server.bodies == [SPEC]
    assert (sweep.state, sweep.num_members, sweep.counts["succeeded"]) == ("running", 4, 2)


def test_validate_stores_nothing(server: Any, client: Client) -> None:
    assert client.sweeps.validate(SPEC)["num_members"] == 4
    assert server.sweeps == {}


def test_wait_returns_once_it_has_ended(server: Any, sweep: Sweep) -> None:
    server.ends_after_gets = 3

    assert sweep.wait(timeout_s=10, progress=False).raise_for_state().counts == {"succeeded": 4}


def test_wait_times_out_and_leaves_the_sweep_alone(server: Any, sweep: Sweep) -> None:
    with pytest.raises(WaitTimeoutError, match="still running") as caught:
        sweep.wait(timeout_s=0.2, progress=False)

    assert caught.value.awaited_id == sweep.id
    assert server.sweeps[sweep.id]["state"] == "running"


@pytest.mark.parametrize(("state", "said"), [("failed", "--sweep swp_0"), ("cancelled", "cancelled.")])
def test_raise_for_state_says_where_to_look(server: Any, sweep: Sweep, state: str, said: str) -> None:
    server.sweeps[sweep.id]["state"] = state

    with pytest.raises(SweepFailedError, match=said):
        sweep.wait(progress=False, check=False).raise_for_state()


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_wait_raises_unless_it_is_told_not_to(server: Any, sweep: Sweep, state: str) -> None:
    server.sweeps[sweep.id]["state"] = state

    with pytest.raises(SweepFailedError, match=f"{sweep.id} {state}"):
        sweep.wait(progress=False)

    assert sweep.wait(progress=False, check=False).state == state


def test_what_lists_leave_out_is_fetched_when_read(client: Client, sweep: Sweep) -> None:
    [listed] = client.sweeps.list()

    assert "leaderboard" not in listed.body
    assert listed.leaderboard[0]["rank"] == 1
    assert listed.best == sweep.best


def test_its_jobs_are_those_with_its_id(server: Any, client: Client, sweep: Sweep) -> None:
    own, other = client.jobs.create(SPEC["base"]), client.jobs.create(SPEC["base"])
    server.jobs[own.id]["sweep"] = {"id": sweep.id}
    server.jobs[other.id]["sweep"] = {"id": "swp_other"}

    assert [job.id for job in sweep.jobs()] == [own.id]
    assert [job.id for job in client.jobs.list(sweep_id=sweep.id)] == [own.id]
    assert list(sweep.jobs(state="failed")) == []


def test_path_comparison_and_ablation_are_the_servers(sweep: Sweep) -> None:
    assert sweep.path()["best_value"] == 0.001
    assert sweep.comparison()["differences"][0]["verdict"] == "helps"
    assert sweep.ablation()["contributions"][0]["regularizer"] == "dropout"


def test_a_sweep_is_cancelled_and_deleted_by_its_id(server: Any, client: Client, sweep: Sweep) -> None:
    with pytest.raises(ConflictError, match="Cancel it first"):
        client.sweeps.delete(sweep.id)

    assert client.sweeps.cancel(sweep.id).state == "cancelled"
    client.sweeps.delete(sweep.id)
    with pytest.raises(NotFoundError, match="There is no sweep"):
        client.sweeps.get(sweep.id)


def test_a_script_may_write_a_sweep_with_numpys_numbers(server: Any, client: Client) -> None:
    axis = {"pointer": "/optimizer/learning_rate", "values": np.array([0.5, 0.25])}

    client.sweeps.create(SPEC | {"axes": (axis,), "seeds": np.arange(3)})

    assert server.bodies == [
        SPEC | {"axes": [{"pointer": "/optimizer/learning_rate", "values": [0.5, 0.25]}], "seeds": [0, 1, 2]}
    ]


def test_a_suggestion_is_the_servers_for_data_or_after_a_sweep(real_client: Client) -> None:
    said = real_client.sweeps.suggest({"kind": "builtin", "name": "wine"}, budget_s=20, seeds=[0, 1])

    assert (said["sweep"]["seeds"], said["sweep"]["variants"][0]["name"]) == ([0, 1], "nothing")
    sweep = real_client.sweeps.create(said["sweep"]).cancel()
    sweep.wait(60, progress=False, check=False)
    with pytest.raises(InvalidRequestError, match="after must name"):
        real_client.sweeps.suggest(after=sweep, budget_s=20)


def test_a_comparison_may_have_one_baseline(server: Any, sweep: Sweep) -> None:
    sweep.comparison("test/accuracy", baseline="none")

    assert server.queries[-1][1] == {"metric": "test/accuracy", "baseline": "none"}
