import csv
import threading
import time
from dataclasses import replace

import pytest

from jobs.errors import StoreUnavailableError
from jobs.model import Capabilities
from worker.devices import Slot
from worker.supervisor import LeaseLostError, Supervisor

SLOT = Slot(0, "cpu")
CPU = Capabilities(frozenset({"cpu"}))


@pytest.fixture
def supervise(surroundings, start_scripted):
    """Claim the best job and see it through; returns whether the runner may serve again."""

    def supervise(around=surroundings, runner=None):
        runner = runner or start_scripted()
        claimed_at = time.monotonic()
        run = around.store.claim("wrk_1", CPU)
        return Supervisor(around, run.run_id, run.jobs[0], SLOT, runner, claimed_at).supervise()

    return supervise


def in_background(action, *args):
    thread = threading.Thread(target=action, args=args)
    thread.start()
    return thread


def wait_for_state(store, job, state):
    deadline = time.monotonic() + 30
    while store.state(job.tenant, job.id) != state:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def text(surroundings, job, name):
    row = surroundings.store.artifact(job.tenant, job.id, name)
    return surroundings.artifacts.path(row.sha256).read_text()


def test_a_success_has_its_records_result_usage_and_artifacts(store, submit, supervise, surroundings):
    job = submit("succeed")

    clean = supervise()

    ended = store.get("t", job.id)
    assert clean
    assert [step.state for step in ended.transitions] == ["queued", "starting", "running", "succeeded"]
    assert ended.result == {"metrics": {}}
    assert ended.progress["fraction"] == 1.0
    assert ended.usage["peak_memory_bytes"] > 0
    assert ended.usage["device_s"] > 0
    names = [row.name for row in store.artifacts("t", job.id)]
    assert names == ["log.txt", "metrics.csv", "model.safetensors"]
    rows = list(csv.DictReader(text(surroundings, job, "metrics.csv").splitlines()))
    served = store.records("t", job.id, kinds=["metrics"])
    assert [(int(row["seq"]), float(row["train/loss"])) for row in rows] == [
        (record.seq, record.body["values"]["train/loss"]) for record in served
    ]
    assert [record.body for record in store.records("t", job.id, kinds=["log"])] == [{"message": "script succeed"}]
    assert list((surroundings.settings.data_dir / "runs").iterdir()) == []


def test_a_failure_has_its_reason_and_its_log(store, submit, supervise, surroundings):
    job = submit("fail")

    clean = supervise()

    ended = store.get("t", job.id)
    assert clean
    assert (ended.state, ended.state_reason["code"]) == ("failed", "diverged")
    assert text(surroundings, job, "log.txt") == "script fail\nfailed: NaN\n"
    assert text(surroundings, job, "metrics.csv") == "seq,epoch,step,at\n"


@pytest.mark.parametrize(("script", "words"), [("crash", "SIGKILL"), ("exit-3", "status 3")])
def test_a_runner_that_dies_fails_its_job_with_the_end_of_its_log(store, submit, supervise, script, words):
    job = submit(script)

    clean = supervise()

    ended = store.get("t", job.id)
    assert not clean
    assert (ended.state, ended.state_reason["code"]) == ("failed", "internal_error")
    assert words in ended.state_reason["message"]
    assert ended.state_reason["details"]["log_tail"] == [f"script {script}"]
    assert [row.name for row in store.artifacts("t", job.id)] == ["log.txt", "metrics.csv"]


@pytest.mark.parametrize(("script", "clean"), [("wait", True), ("deaf", False)])
def test_a_cancel_ends_the_run_within_two_seconds_whether_or_not_it_listens(
    store, submit, supervise, start_scripted, script, clean
):
    job = submit(script)
    cleans = []
    thread = in_background(lambda: cleans.append(supervise()))
    wait_for_state(store, job, "running")

    asked_at = time.monotonic()
    store.request_cancel("t", job.id)
    wait_for_state(store, job, "cancelled")
    took_s = time.monotonic() - asked_at
    thread.join()

    # The one time that a test asserts: the promise itself.
    assert took_s < 2
    assert cleans == [clean]
    ended = store.get("t", job.id)
    assert ended.state_reason["code"] == "cancelled_by_user"
    assert [row.name for row in store.artifacts("t", job.id)] == ["log.txt", "metrics.csv"]


def test_a_drain_gives_the_job_back_without_counting_it_as_lost(store, submit, supervise, surroundings):
    job = submit("wait")
    thread = in_background(supervise)
    wait_for_state(store, job, "running")

    surroundings.draining.set()
    thread.join()

    assert store.state("t", job.id) == "queued"
    assert store.claim("wrk_2", CPU).jobs[0].id == job.id


def test_a_cancel_during_a_drain_still_cancels(store, submit, supervise, surroundings):
    job = submit("deaf")
    thread = in_background(supervise)
    wait_for_state(store, job, "running")

    surroundings.draining.set()
    time.sleep(0.5)
    store.request_cancel("t", job.id)
    thread.join()

    assert store.state("t", job.id) == "cancelled"


@pytest.mark.parametrize(
    ("script", "limits", "code"),
    [
        ("deaf", {"max_runtime_s": 0.5}, "max_runtime_exceeded"),
        ("fat", {"max_memory_bytes": 100 << 20}, "max_memory_exceeded"),
    ],
)
def test_a_run_beyond_its_limits_fails_and_says_so(store, submit, supervise, script, limits, code):
    job = submit(script, **limits)

    supervise()

    ended = store.get("t", job.id)
    assert (ended.state, ended.state_reason["code"]) == ("failed", code)
    (limit,) = limits
    assert ended.state_reason["details"] == limits
    assert limit in ended.state_reason["message"]


def test_each_renewal_of_the_lease_is_passed_on_to_the_runner(store, submit, supervise):
    job = submit("renewed")

    supervise()

    assert store.state("t", job.id) == "succeeded"


def test_the_lease_is_kept_while_the_runner_warms_up_for_longer(store, submit, supervise, start_scripted):
    job = submit("succeed")

    supervise(runner=start_scripted(warm_up_s=3.0))
    store.expire_leases()

    ended = store.get("t", job.id)
    assert (ended.state, ended.attempt) == ("succeeded", 1)


def test_a_runner_that_never_comes_up_is_killed(store, submit, supervise, start_scripted, monkeypatch):
    monkeypatch.setattr("worker.supervisor._WARM_UP_TIMEOUT_S", 0.5)
    job = submit("succeed")

    supervise(runner=start_scripted(warm_up_s=600))

    ended = store.get("t", job.id)
    assert (ended.state, ended.state_reason["code"]) == ("failed", "internal_error")
    assert ended.state_reason["details"]["log_tail"] == ["killed: it did not come up in time"]


def test_a_run_that_was_taken_away_writes_nothing_more(store, submit, supervise, start_scripted):
    job = submit("deaf")
    runner = start_scripted()
    raised = []

    def watch():
        with pytest.raises(LeaseLostError) as caught:
            supervise(runner=runner)
        raised.append(caught.value)

    thread = in_background(watch)
    wait_for_state(store, job, "running")
    store.requeue(run_id_of(store, job), job.id)
    second = store.claim("wrk_2", CPU)
    thread.join()

    assert raised
    assert runner.returncode == -9
    assert store.start(second.run_id, job.id)  # the second run is untouched


def test_a_database_that_is_away_for_less_than_the_lease_loses_nothing(store, submit, supervise, surroundings):
    job = submit("succeed")
    flaky = AwayFor(store, 1.0)

    supervise(replace(surroundings, store=flaky))

    assert store.state("t", job.id) == "succeeded"
    assert [record.body["step"] for record in store.records("t", job.id, kinds=["metrics"])] == [1, 2]


def test_a_database_that_is_away_for_longer_ends_the_run(submit, supervise, surroundings, store, start_scripted):
    submit("deaf")
    runner = start_scripted()

    with pytest.raises(LeaseLostError):
        supervise(replace(surroundings, store=AwayFor(store, 60)), runner)

    assert runner.returncode == -9


class AwayFor:
    """A store whose database goes away as soon as a job was claimed, for some seconds."""

    def __init__(self, store, away_s):
        self._store = store
        self._away_s = away_s
        self._back_at = 0.0

    def claim(self, *args):
        self._back_at = time.monotonic() + self._away_s
        return self._store.claim(*args)

    def __getattr__(self, name):
        if time.monotonic() < self._back_at:
            raise StoreUnavailableError
        return getattr(self._store, name)


def run_id_of(store, job):
    """The newest run: ids increase, and these tests have one job."""
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT max(id) FROM runs").scalar_one()
