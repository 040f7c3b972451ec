"""64 jobs that a script posts one by one, while what trains them is killed: nothing is lost, and nothing differs.

On SQLite: `test_groups.py` has PostgreSQL's.
"""

from collections.abc import Iterator

import pytest
from live_stack import LiveStack, live_stack

from regcore import parse_spec, train

NUM_JOBS = 64
KILLED_AFTER = (8, 32, NUM_JOBS)  # jobs posted
CLOSE = 1e-9


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    with live_stack(tmp_path_factory.mktemp("stack"), None, lease_s=2, reconcile_interval_s=0.2) as stack:
        yield stack


def spec_of(number, fusion="auto"):
    """What one tries: four strengths, and sixteen seeds of each."""
    return {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [16]},
        "regularizers": [{"kind": "l1", "strength": 10.0 ** -(2 + number % 4)}, {"kind": "dropout", "p": 0.2}],
        "training": {"epochs": 25, "seed": number // 4, "precision": "float64", "checkpoint_every_s": 0.1},
        "fusion": fusion,
    }


def kill_a_group(stack):
    """Kill the runner in the middle of a pass of several jobs."""

    def kills():
        training = [job for job in stack.get("/v1/jobs?state=running")["data"] if job["progress"]["step"] > 0]
        runners = stack.worker.runners()  # none for a moment, if the pass has just ended
        if len(training) < 2 or not runners:
            return False
        runners[0].kill()
        return True

    stack.wait_for(kills)


def test_64_jobs_posted_one_by_one_train_together_and_give_what_each_gives_alone(stack, check_whole):
    job_ids = []
    for number in range(NUM_JOBS):
        job_ids.append(stack.submit(spec_of(number)))
        if len(job_ids) in KILLED_AFTER:
            kill_a_group(stack)
    alone_ids = {number: stack.submit(spec_of(number, fusion="off")) for number in range(0, NUM_JOBS, 20)}

    jobs = [stack.wait(job_id, "succeeded") for job_id in job_ids]
    alone = {number: stack.wait(job_id, "succeeded") for number, job_id in alone_ids.items()}

    for job in jobs:
        check_whole(job)
    for number in range(0, NUM_JOBS, 5):
        solo = train(parse_spec(spec_of(number)))
        assert jobs[number]["result"]["metrics"] == pytest.approx(solo.metrics, rel=CLOSE)
        if number in alone:
            assert alone[number]["result"]["weights_sha256"] == solo.weights_sha256
    num_companions = [len(job["result"]["fused_with"]) for job in jobs]
    assert sum(count >= 7 for count in num_companions) > NUM_JOBS // 2, num_companions
    reasons = [step["reason"] for job in jobs for step in job["transitions"]]
    assert reasons.count("worker_lost") + reasons.count("fusion_limit") >= 4, "kills met groups"
