"""Faults that meet jobs which train in one pass, with real processes, on PostgreSQL: `test_many.py` has SQLite's.

What is promised to a job alone is promised to each of them; and a group whose run is lost is taken up again as the same
group, so that its hashes are those of a pass that nobody disturbed. Where the company of a job changes, its last bits
may: then its numbers are those of its own run all the same, which double precision shows.
"""

import json
import signal

import pytest

from regcore import make_plan, parse_spec, train
from regcore.loop.group import Newcomer, train_group

pytestmark = [pytest.mark.timeout(240), pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)]

CLOSE = 1e-9


@pytest.fixture
def make_group(make_spec):
    """Specs that train in one pass."""

    def make_group(*, precision="float32"):
        return [
            make_spec(
                fusion="auto",
                regularizers=[{"kind": "dropout", "p": 0.2}, {"kind": "l1", "strength": strength}],
                training={"epochs": 60, "checkpoint_every_s": 0.1, "seed": seed, "precision": precision},
            )
            for seed, strength in enumerate((1e-6, 1e-5, 1e-4))
        ]

    return make_group


@pytest.fixture
def submit_together(stack, make_spec):
    """Submit jobs while the one worker is busy, so that it then claims all of them at once; their ids."""

    def submit_together(specs):
        blocking = stack.submit(make_spec(epochs=100_000, priority="high"))
        stack.wait_for_step(blocking, 1)
        job_ids = [stack.submit(spec) for spec in specs]
        stack.act(blocking, "cancel")
        stack.wait(blocking, "cancelled")
        return job_ids

    return submit_together


@pytest.fixture(scope="session")
def undisturbed_group():
    """Gives `weights_sha256` of each member of a pass that nobody disturbed, trained in this process."""
    known = {}

    def sha256s(specs):
        name = json.dumps(specs)
        if name not in known:
            newcomers = [Newcomer(str(place), make_plan(parse_spec(spec))) for place, spec in enumerate(specs)]
            results = dict(train_group(newcomers))
            known[name] = [results[newcomer.key].weights_sha256 for newcomer in newcomers]
        return known[name]

    return sha256s


@pytest.fixture
def check_same_group(stack, check_whole):
    """Checks that jobs were taken up once, together, and are what they would have been without that."""

    def check(job_ids, expected_sha256s):
        jobs = [stack.wait(job_id, "succeeded") for job_id in job_ids]
        for job in jobs:
            check_whole(job)
            assert job["result"]["fused_with"] == [other for other in job_ids if other != job["id"]]
            assert (job["attempt"], job["result"]["exact"]) == (2, True)
            assert len(went_on(stack, job["id"])) == 1
        assert [job["result"]["weights_sha256"] for job in jobs] == expected_sha256s

    return check


def went_on(stack, job_id):
    return [line for line in stack.artifact_text(job_id, "log.txt").splitlines() if "going on from" in line]


def test_a_killed_runner_costs_its_group_nothing(
    stack, make_group, submit_together, undisturbed_group, check_same_group, moment
):
    specs = make_group()
    with stack.slow_training():
        job_ids = submit_together(specs)
        stack.wait_for_step(job_ids[0], moment)
        stack.worker.runners()[0].kill()

    check_same_group(job_ids, undisturbed_group(specs))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "shut-down"])
def test_a_worker_that_goes_leaves_its_group_to_another(
    stack, make_group, submit_together, undisturbed_group, check_same_group, moment, number
):
    specs = make_group()
    with stack.slow_training():
        job_ids = submit_together(specs)
        stack.wait_for_step(job_ids[0], moment)
        stack.worker.send(number)
    stack.add_worker(2).start()

    check_same_group(job_ids, undisturbed_group(specs))


def test_who_is_paused_or_cancelled_leaves_the_others_and_itself_as_they_would_be_alone(
    stack, make_group, submit_together, check_whole, moment
):
    specs = make_group(precision="float64")
    with stack.slow_training():
        first, second, third = submit_together(specs)
        stack.wait_for_step(first, moment)
        stack.act(second, "cancel")
        stack.wait(second, "cancelled")
        stack.act(third, "pause")
        stack.wait(third, "paused")
        meanwhile = stack.job(first)["state"]
    done = stack.wait(first, "succeeded")
    stack.act(third, "resume")
    resumed = stack.wait(third, "succeeded")

    assert meanwhile == "running"
    assert stack.artifact_names(second) == {"log.txt", "metrics.csv"}
    assert (done["attempt"], resumed["attempt"]) == (1, 2)
    assert len(went_on(stack, third)) == 1
    for job, spec in ((done, specs[0]), (resumed, specs[2])):
        check_whole(job)
        assert job["result"]["exact"] is False, "its company changed"
        assert job["result"]["metrics"] == pytest.approx(train(parse_spec(spec)).metrics, rel=CLOSE)


def test_a_job_that_is_resumed_while_it_still_pauses_loses_nothing(
    stack, make_group, submit_together, check_whole, moment
):
    specs = make_group(precision="float64")
    with stack.slow_training():
        job_ids = submit_together(specs)
        stack.wait_for_step(job_ids[0], moment)
        for job_id in job_ids:
            stack.act(job_id, "pause")
            stack.act(job_id, "resume")

    jobs = [stack.wait(job_id, "succeeded") for job_id in job_ids]
    for job, spec in zip(jobs, specs, strict=True):
        check_whole(job)
        assert job["result"]["metrics"] == pytest.approx(train(parse_spec(spec)).metrics, rel=CLOSE)
