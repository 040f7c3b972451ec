"""Each row of the table of faults, with real processes; each at a random but seeded moment.

The reference is the same spec trained in one go, in the test's own process: equal hashes mean that nothing was lost,
and nothing done twice.
"""

import contextlib
import resource
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psutil
import pytest

from jobs.queue import QUEUE_NAME, make_publisher, publish
from jobs.settings import Settings

pytestmark = pytest.mark.timeout(240)

ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""For most faults: the claims, leases and writes that they end in are tested on both, by the store's own tests too."""


def went_on(stack, job_id):
    """The steps of the checkpoints that the job was taken up from."""
    told = [one["body"]["message"] for one in stack.records(job_id, "log")]
    return [int(line.rsplit(" ", 1)[1]) for line in told if "going on from the checkpoint" in line]


# Runners and workers


def test_a_killed_runner_is_taken_up_from_its_checkpoint(stack, make_spec, moment, check_promise):
    with stack.slow_training():
        job_id = stack.submit(make_spec())
        stack.wait_for_step(job_id, moment)
        stack.worker.runners()[0].kill()
    job = stack.wait(job_id, "succeeded")

    check_promise(job)
    assert job["attempt"] == 2
    assert len(went_on(stack, job_id)) == 1
    assert [step["state"] for step in job["transitions"]].count("queued") == 2
    assert "worker_lost" in [step["reason"] for step in job["transitions"]]
    assert stack.worker.returncode is None


@ON_ONE_DATABASE
def test_a_killed_template_costs_no_job_anything(stack, make_spec, check_promise):
    with stack.slow_training():
        first, second = (stack.submit(make_spec(epochs=20)) for _ in range(2))
        stack.wait_for_step(first, 1)
        stack.worker.templates()[0].kill()
    jobs = [stack.wait(job_id, "succeeded") for job_id in (first, second)]

    for job in jobs:
        check_promise(job)
    assert [job["attempt"] for job in jobs] == [1, 1]


@ON_ONE_DATABASE
def test_a_killed_worker_loses_its_job_to_another(stack, second_worker, make_spec, moment, check_promise):
    with stack.slow_training():
        job_id = stack.submit(make_spec())
        stack.wait_for_step(job_id, moment)
        owner = stack.worker_of(job_id)
        runners = owner.runners()
        owner.kill()
    job = stack.wait(job_id, "succeeded")

    check_promise(job)
    assert job["attempt"] == 2
    assert went_on(stack, job_id)
    assert not any(runner.is_running() and runner.status() != psutil.STATUS_ZOMBIE for runner in runners)


@ON_ONE_DATABASE
def test_a_supervisor_that_was_stopped_past_its_lease_is_refused(
    stack, second_worker, make_spec, moment, check_promise
):
    with stack.slow_training():
        job_id = stack.submit(make_spec())
        stack.wait_for_step(job_id, moment)
        owner = stack.worker_of(job_id)
        stop_between_writes(stack, owner)
    stack.wait_for(lambda: stack.job(job_id)["attempt"] == 2)
    owner.send(signal.SIGCONT)
    job = stack.wait(job_id, "succeeded")

    check_promise(job)
    assert job["attempt"] == 2
    assert went_on(stack, job_id)
    stack.wait_for(lambda: "the run is no longer ours" in owner.log_path.read_text())
    assert owner.returncode is None
    stack.wait_for(lambda: stack.num_ready_workers() == 2)


def stop_between_writes(stack, part):
    """SIGSTOP a process, but not in the middle of a write to SQLite: its lock would stop everybody."""
    while True:
        part.send(signal.SIGSTOP)
        if not stack.is_sqlite:
            return
        with contextlib.closing(sqlite3.connect(stack.data_dir / "regcore.db", timeout=0.5)) as probe:
            try:
                probe.execute("BEGIN IMMEDIATE")
                probe.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                part.send(signal.SIGCONT)


@ON_ONE_DATABASE
def test_a_worker_that_is_shut_down_saves_its_job_for_another(stack, second_worker, make_spec, moment, check_promise):
    with stack.slow_training():
        job_id = stack.submit(make_spec(checkpoint_every_s=3600))
        stack.wait_for_step(job_id, moment)
        owner = stack.worker_of(job_id)
        owner.send(signal.SIGTERM)
    stack.wait_for(lambda: owner.returncode == 0)
    job = stack.wait(job_id, "succeeded")

    check_promise(job)
    assert [step["reason"] for step in job["transitions"] if step["reason"]] == ["worker_drained"]
    (saved,) = stack.records(job_id, "checkpoint")
    assert went_on(stack, job_id) == [saved["body"]["step"]]


@ON_ONE_DATABASE
def test_the_runner_has_no_secret_in_its_environment(stack, make_spec):
    job_id = stack.submit(make_spec(epochs=100_000))
    stack.wait_for_step(job_id, 1)

    environment = stack.worker.runners()[0].environ()

    assert not [name for name in environment if name.startswith("REGCORE_") and name != "REGCORE_ALLOW_DOWNLOADS"]
    assert not [value for value in environment.values() if "postgresql://" in value or "redis" in value]
    stack.act(job_id, "cancel")
    stack.wait(job_id, "cancelled")


# Pausing


@ON_ONE_DATABASE
def test_a_paused_job_frees_its_worker_and_goes_on_where_it_was(stack, make_spec, moment, check_promise):
    with stack.slow_training():
        job_id = stack.submit(make_spec(checkpoint_every_s=3600))
        stack.wait_for_step(job_id, moment)
        stack.act(job_id, "pause")
        paused = stack.wait(job_id, "paused")
    other = stack.wait(stack.submit(make_spec(epochs=2)), "succeeded")
    stack.act(job_id, "resume")
    job = stack.wait(job_id, "succeeded")

    assert paused["state_reason"]["code"] == "paused_by_user"
    assert paused["usage"]["device_s"] > 0
    assert other["started_at"] > paused["transitions"][-1]["at"]
    check_promise(job)
    assert went_on(stack, job_id) == [paused["progress"]["step"]]


@ON_ONE_DATABASE
def test_a_job_that_is_cancelled_while_paused_has_its_log_and_metrics(stack, make_spec):
    with stack.slow_training():
        job_id = stack.submit(make_spec())
        stack.wait_for_step(job_id, 20)
        stack.act(job_id, "pause")
        stack.wait(job_id, "paused")

    stack.act(job_id, "cancel")
    job = stack.wait(job_id, "cancelled")
    stack.wait_for(lambda: stack.artifact_names(job_id) == {"log.txt", "metrics.csv"})

    assert job["state_reason"]["code"] == "cancelled_by_user"
    assert len(stack.artifact_text(job_id, "metrics.csv").splitlines()) == 1 + len(stack.records(job_id, "metrics"))
    assert "cancelled_by_user" in stack.artifact_text(job_id, "log.txt")


# Redis


@ON_ONE_DATABASE
def test_jobs_outlive_a_redis_that_is_killed_in_the_middle(stack, make_spec, check_promise):
    with stack.slow_training():
        running = stack.submit(make_spec())
        stack.wait_for_step(running, 100)
        queued = [stack.submit(make_spec(epochs=3)) for _ in range(2)]
        stack.parts["redis"].kill()
        queued.append(stack.submit(make_spec(epochs=3)))
    stack.wait(running, "succeeded")
    stack.parts["redis"].start()

    for job_id in (running, *queued):
        job = stack.wait(job_id, "succeeded")
        check_promise(job)
        assert job["attempt"] == 1


@ON_ONE_DATABASE
def test_jobs_that_wait_when_redis_is_wiped_still_end(stack, make_spec, check_promise):
    blocking = stack.submit(make_spec(epochs=100_000))
    stack.wait_for_step(blocking, 1)
    waiting = [stack.submit(make_spec(epochs=2)) for _ in range(3)]

    stack.redis.flushall()
    stack.act(blocking, "cancel")

    stack.wait(blocking, "cancelled")
    for job_id in waiting:
        job = stack.wait(job_id, "succeeded")
        check_promise(job)
        assert job["attempt"] == 1


@ON_ONE_DATABASE
def test_dropped_connections_to_redis_start_nothing_twice(stack, make_spec, dice, check_promise):
    job_ids = [stack.submit(make_spec(epochs=60)) for _ in range(3)]

    for _ in range(10):
        time.sleep(dice.uniform(0.05, 0.4))
        stack.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        stack.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub", "SKIPME", "yes")

    for job_id in job_ids:
        job = stack.wait(job_id, "succeeded")
        check_promise(job)
        assert job["attempt"] == 1


@pytest.fixture
def publisher(stack):
    app = make_publisher(Settings(data_dir=stack.data_dir, redis_url=stack.redis_url))
    yield app
    app.close()


@ON_ONE_DATABASE
def test_a_message_that_is_lost_before_the_claim_is_sent_again(stack, make_spec, check_promise):
    blocking = stack.submit(make_spec(epochs=100_000))
    stack.wait_for_step(blocking, 1)
    job_id = stack.submit(make_spec(epochs=3))

    # What a worker does that takes the message and dies before it has claimed.
    stack.wait_for(lambda: stack.redis.llen(QUEUE_NAME) > 0)
    while stack.redis.lpop(QUEUE_NAME):
        pass
    stack.act(blocking, "cancel")

    check_promise(stack.wait(job_id, "succeeded"))


@ON_ONE_DATABASE
def test_a_message_that_comes_many_times_at_once_starts_one_run(
    stack, second_worker, publisher, make_spec, check_promise
):
    job_id = stack.submit(make_spec(epochs=20))

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(lambda _: publish(publisher, job_id), range(20)))
    stack.wait(job_id, "succeeded")
    stack.wait_for(lambda: stack.redis.llen(QUEUE_NAME) == 0)

    job = stack.job(job_id)
    check_promise(job)
    assert job["attempt"] == 1


# The api


def test_an_api_that_is_killed_during_submits_keeps_what_it_accepted(stack, make_spec, dice, check_promise):
    keys = [f"{dice.random()}" for _ in range(20)]
    spec = make_spec(epochs=1)
    accepted = {}
    last = dice.randint(3, 12)
    once = threading.Lock()

    def submit(key):
        with contextlib.suppress(httpx2.TransportError):
            answer = stack.client.post("/v1/jobs", json=spec, headers={"Idempotency-Key": key})
            accepted[key] = answer.json()["id"]
            if len(accepted) >= last and once.acquire(blocking=False):
                stack.api.kill()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(submit, keys))
    stack.api.start()
    stack.await_api()
    before = dict(accepted)
    for key in keys:
        submit(key)

    assert last <= len(before) < len(keys)
    assert accepted.items() >= before.items(), "the same key gave another job"
    assert len(set(accepted.values())) == len(keys)
    for job_id in accepted.values():
        check_promise(stack.wait(job_id, "succeeded"))


# The disk


@ON_ONE_DATABASE
def test_a_full_disk_leaves_the_checkpoint_before_valid(stack, make_spec):
    # On a slow disk checkpoints are far apart, for they may take 3 % of the time: so the job has no end of its own.
    training = {"epochs": 100_000, "eval_every_epochs": 1000, "checkpoint_every_s": 0.1}
    job_id = stack.submit(make_spec(training=training))
    stack.wait_for(lambda: bool(stack.records(job_id, "checkpoint")), 120)
    runner = stack.worker.runners()[0]

    # Nothing of the runner's that is as large as a checkpoint can be written now.
    runner.rlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
    stack.wait_for(lambda: bool(stack.records(job_id, "warning")), 120)
    (warning,) = stack.records(job_id, "warning")
    saved = stack.records(job_id, "checkpoint")
    runner.kill()
    stack.wait_for(lambda: bool(went_on(stack, job_id)))
    stack.act(job_id, "cancel")
    stack.wait(job_id, "cancelled")

    assert warning["body"]["code"] == "checkpoint_failed"
    assert "Free some disk space" in warning["body"]["message"]
    assert went_on(stack, job_id) == [saved[-1]["body"]["step"]]
