"""Sweeps from POST to verdict on real workers. What single answers look like is in tests/api."""

import pytest

from regcore import JobSpec, train

STRENGTH = "/regularizers/0/strength"
BASE = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [16]},
    "regularizers": [{"kind": "l1", "strength": 1e-4}],
    "training": {"epochs": 9, "precision": "float64"},
}


def submit(stack, **spec):
    answer = stack.client.post("/v1/sweeps", json={"base": BASE, **spec})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def wait(stack, sweep_id, *states):
    found = {}

    def arrived():
        found.update(stack.get(f"/v1/sweeps/{sweep_id}"))
        return found["state"] in states

    stack.wait_for(arrived, 120)
    return found


def jobs_of(stack, sweep_id):
    page = stack.get(f"/v1/jobs?sweep_id={sweep_id}&limit=1000&sort=created_at")
    assert not page["has_more"]
    return page["data"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # its statements are tested on both
def test_a_path_is_of_members_that_equal_their_solo_runs(stack):
    sweep_id = submit(stack, axes=[{"pointer": STRENGTH, "values": [1e-4, 1e-2]}], seeds=[0, 1])

    sweep = wait(stack, sweep_id, "succeeded")

    jobs = jobs_of(stack, sweep_id)
    assert {len(job["result"]["fused_with"]) for job in jobs} == {3}
    for job in jobs:
        alone = train(JobSpec.model_validate(stack.job(job["id"])["resolved_spec"]))
        metrics = {name: value for name, value in job["result"]["metrics"].items() if value is not None}
        assert metrics == pytest.approx({name: alone.metrics[name] for name in metrics}, rel=1e-9)
    means = {
        strength: sum(
            job["result"]["metrics"]["validation/loss"] / 2
            for job in jobs
            if job["sweep"]["values"][STRENGTH] == strength
        )
        for strength in (1e-4, 1e-2)
    }
    path = stack.get(f"/v1/sweeps/{sweep_id}/path")
    assert path["best_value"] == min(means, key=means.get) == sweep["best"]["values"][STRENGTH]
    found = {point["value"]: point["metrics"]["validation/loss"]["value"] for point in path["points"]}
    assert found == pytest.approx(means)
    assert path["points"][1]["sparsity"]["value"] > path["points"][0]["sparsity"]["value"]


def test_a_halving_stops_members_that_cannot_win(stack):
    axes = [
        {"pointer": "/optimizer/learning_rate", "range": {"kind": "log", "low": 1e-5, "high": 0.1, "num_points": 9}}
    ]
    strategy = {"kind": "halving", "eta": 3, "min_epochs": 1}

    sweep = wait(stack, submit(stack, axes=axes, seeds=[0], strategy=strategy), "succeeded")

    jobs = jobs_of(stack, sweep["id"])
    states = [job["state"] for job in jobs]
    assert set(states) == {"succeeded", "cancelled"}
    assert sweep["num_halved"] == states.count("cancelled")
    halved = [job for job in jobs if job["state"] == "cancelled"]
    assert len(halved) >= 6
    for job in halved:
        assert job["state_reason"]["code"] == "halved"
        assert job["progress"]["epoch"] in (1, 3)
        assert {"log.txt", "metrics.csv"} <= stack.artifact_names(job["id"])
    assert sum(job["progress"]["epoch"] for job in jobs) <= 9 * 9 / 3
    assert sweep["best"]["values"]["/optimizer/learning_rate"] > 1e-3


def test_a_cancelled_sweep_ends_all_its_members(stack):
    base = {**BASE, "training": {"epochs": 100_000}}
    sweep_id = submit(stack, base=base, axes=[{"pointer": STRENGTH, "values": [k * 1e-4 for k in range(40)]}])
    wait(stack, sweep_id, "running")

    stack.client.post(f"/v1/sweeps/{sweep_id}/cancel").raise_for_status()

    sweep = wait(stack, sweep_id, "cancelled")
    assert sweep["counts"]["cancelled"] == 120
    assert stack.client.delete(f"/v1/sweeps/{sweep_id}").status_code == 204
    assert jobs_of(stack, sweep_id) == []


def test_an_ablation_on_real_data_has_a_verdict_on_each(stack):
    regularizers = [{"kind": "l1", "strength": 1e-2}, {"kind": "dropout", "p": 0.1}]
    base = {**BASE, "regularizers": regularizers, "training": {"epochs": 5}}

    sweep = wait(stack, submit(stack, base=base, strategy={"kind": "ablation"}), "succeeded")

    said = stack.get(f"/v1/sweeps/{sweep['id']}/ablation")
    verdicts = {one["regularizer"]: one for one in said["contributions"]}
    assert verdicts["l1"]["verdict"] == "hurts"  # it leaves next to nothing of this small network
    assert verdicts["l1"]["num_pairs"] == 3
    assert verdicts["l1"]["standard_error"]["rows"] > 0
    accuracy = stack.get(f"/v1/sweeps/{sweep['id']}/ablation?metric=test/accuracy")
    assert len(accuracy["contributions"][0]["tests"]["mcnemar"]) == 3
