"""Why a job failed and what its user can do: each reason from a run that met it, and the worker takes the next job.

On SQLite alone: how a run ends is decided before the database hears of it, and the store's own tests are on both.
"""

from collections.abc import Iterator

import pytest
from live_stack import FAULTY_WORKER, LiveStack, live_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """A stack with a worker whose runners do to a job what its name says."""
    folder = tmp_path_factory.mktemp("stack")
    with live_stack(folder, None, worker=FAULTY_WORKER, lease_s=2, reconcile_interval_s=0.2) as stack:
        yield stack


EXPLOSIVE = {
    "data": {"kind": "builtin", "name": "diabetes"},
    "model": {"kind": "linear"},
    "optimizer": {"kind": "sgd", "learning_rate": 2.0},
    "regularizers": [],
}
REASONS = {
    "diverged": (EXPLOSIVE, ["step", "optimizer.learning_rate"]),
    "invalid_data": ({"data": {"kind": "torchvision", "name": "KMNIST"}}, ["KMNIST"]),
    "max_runtime_exceeded": ({"training": {"epochs": 10_000}, "resources": {"max_runtime_s": 1.0}}, ["max_runtime_s"]),
    "max_memory_exceeded": ({"resources": {"max_memory_bytes": 10**8}}, ["max_memory_bytes"]),
}


@pytest.mark.parametrize(("code", "changes", "words"), [(code, *rest) for code, rest in REASONS.items()], ids=REASONS)
def test_a_failure_says_why_and_what_to_do(stack, make_spec, code, changes, words):
    job = stack.wait(stack.submit(make_spec(**changes)), "failed")

    check_failure(stack, job, code, words)


@pytest.mark.parametrize("name", ["cuda-out-of-memory", "host-out-of-memory"])
def test_memory_that_runs_out_is_said_to(stack, make_spec, name):
    job = stack.wait(stack.submit(make_spec(name=name)), "failed")

    check_failure(stack, job, "out_of_memory", ["memory ran out", "training.batch_size"])


def test_a_job_that_kills_every_runner_is_stopped_after_three(stack, make_spec):
    job = stack.wait(stack.submit(make_spec(name="poison", checkpoint_every_s=3600)), "failed")

    check_failure(stack, job, "poisoned", ["SIGSEGV"])
    assert job["attempt"] == 3
    assert job["state_reason"]["details"]["log_tail"]


def test_a_job_that_kills_every_runner_does_not_take_its_companions_with_it(stack, make_spec):
    blocking = stack.submit(make_spec(epochs=100_000))
    stack.wait_for_step(blocking, 1)
    names = ["harmless", "poison", "harmless too"]
    job_ids = [stack.submit(make_spec(3, name=name, fusion="auto", checkpoint_every_s=3600)) for name in names]
    stack.act(blocking, "cancel")

    poison = stack.wait(job_ids[1], "failed")
    companions = [stack.wait(job_id, "succeeded") for job_id in (job_ids[0], job_ids[2])]

    assert poison["state_reason"]["code"] == "poisoned"
    assert poison["attempt"] == 2 + 3, "twice in company, which might have been to blame; then alone"
    for job in companions:
        assert [step["reason"] for step in job["transitions"] if step["reason"]] == ["worker_lost", "fusion_limit"]
        assert job["result"]["fused_with"] == []
        assert job["result"]["exact"] is True


def check_failure(stack, job, code, words):
    reason = job["state_reason"]
    assert reason["code"] == code
    assert reason["remedy"]
    assert not [word for word in words if word not in reason["message"] + reason["remedy"]], reason
    assert "Traceback" not in reason["message"]
    assert job["result"] is None
    assert stack.artifact_names(job["id"]) == {"log.txt", "metrics.csv"}
    assert words[0] in stack.artifact_text(job["id"], "log.txt")
    stack.wait(stack.submit({**job["spec"], **HARMLESS}), "succeeded")
    assert stack.worker.returncode is None


HARMLESS = {
    "name": "harmless",
    "data": {"kind": "builtin", "name": "digits"},
    "optimizer": {"kind": "sgd"},
    "training": {"epochs": 1},
    "resources": {},
}


def test_a_divergence_names_its_step_and_the_last_good_values(stack, make_spec):
    job = stack.wait(stack.submit(make_spec(**EXPLOSIVE)), "failed")

    details = job["state_reason"]["details"]
    rows = stack.get(f"/v1/jobs/{job['id']}/metrics")["data"]
    assert 1 <= details["step"] <= job["plan"]["num_steps"]
    assert details["epoch"] == (details["step"] - 1) // job["plan"]["steps_per_epoch"] + 1
    assert details["last_finite"] == [row["values"] for row in rows if not row["non_finite"]][-1]
