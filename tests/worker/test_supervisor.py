import csv
import shutil
import time
from dataclasses import replace

import pytest
from one_job import requeue
from supervising import in_background, text_of, wait_for_state

from jobs.errors import StoreUnavailableError
from jobs.model import Capabilities
from worker.supervisor import LeaseLostError

CPU = Capabilities(frozenset({"cpu"}))


def test_a_success_has_its_records_result_usage_and_artifacts(store, submit, supervise, surroundings):
    job = submit("succeed")

    clean = supervise()

    ended = store.get("t", job.id)
    assert clean
    assert [step.state for step in ended.transitions] == ["queued", "starting", "running", "succeeded"]
    assert ended.result == {"metrics": {}, "fused_with": []}
    assert ended.progress["fraction"] == 1.0
    assert ended.usage["peak_memory_bytes"] > 0
    assert ended.usage["device_s"] > 0
    names = [row.name for row in store.artifacts("t", job.id)]
    assert names == ["log.txt", "metrics.csv", "model.safetensors"]
    rows = list(csv.DictReader(text_of(surroundings, job, "metrics.csv").splitlines()))
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
    assert text_of(surroundings, job, "log.txt") == "script fail\ndiverged: NaN\n"
    assert text_of(surroundings, job, "metrics.csv") == "seq,epoch,step,at\n"


@pytest.mark.parametrize(("script", "words"), [("crash", "SIGKILL"), ("exit-3", "status 3")])
def test_a_job_whose_runner_dies_is_tried_again_until_it_is_poisoned(
    store, submit, supervise, surroundings, start_scripted, pass_delays, script, words
):
    job = submit(script)
    states, cleans = [], []

    for _ in range(surroundings.settings.max_attempts):
        cleans.append(supervise())
        states.append(store.state("t", job.id))
        pass_delays()

    ended = store.get("t", job.id)
    assert states == ["queued", "queued", "failed"]
    assert cleans == [False] * 3
    assert [step.reason for step in ended.transitions if step.reason] == ["worker_lost", "worker_lost", "poisoned"]
    assert words in ended.state_reason["message"]
    assert ended.state_reason["details"]["log_tail"][-1] == f"script {script}"
    log = text_of(surroundings, job, "log.txt")
    assert log.count(f"script {script}\n") == 3, "the log tells of every run"
    assert [row.name for row in store.artifacts("t", job.id)] == ["log.txt", "metrics.csv"]


def test_a_runner_that_the_kernel_kills_for_memory_is_said_to_lack_it(
    store, submit, supervise, surroundings, pass_delays, monkeypatch
):
    kills = iter(range(100))
    monkeypatch.setattr("worker.supervisor.count_oom_kills", lambda: next(kills))
    job = submit("crash")

    for _ in range(surroundings.settings.max_attempts):
        supervise()
        pass_delays()

    ended = store.get("t", job.id)
    assert (ended.state, ended.state_reason["code"]) == ("failed", "out_of_memory")


def test_a_pause_saves_a_checkpoint_that_the_next_run_begins_with(store, submit, supervise, surroundings):
    job = submit("save")
    thread = in_background(supervise)
    wait_for_state(store, job, "running")

    store.request_pause("t", job.id)
    thread.join()
    paused = store.get("t", job.id)
    store.resume("t", job.id)
    thread = in_background(supervise)
    wait_for_state(store, job, "running")
    saved = sorted(path.relative_to(surroundings.settings.checkpoints_dir) for path in folders(surroundings, "step-*"))
    store.request_cancel("t", job.id)
    thread.join()

    assert (paused.state, paused.checkpoint["step"]) == ("paused", 7)
    first, second = run_ids_of(store)
    assert [str(path) for path in saved] == [f"{job.id}/{run}/step-000000000007" for run in (first, second)]
    assert store.state("t", job.id) == "cancelled"
    assert folders(surroundings, f"{second}") != [], "a rerun may go on from it for a while"


@pytest.mark.parametrize(("script", "num_left"), [("save-and-succeed", 0), ("fail", 1)])
def test_only_a_job_that_succeeded_needs_no_checkpoint_any_more(submit, supervise, surroundings, script, num_left):
    submit(script)

    supervise()

    assert len(list(surroundings.settings.checkpoints_dir.iterdir())) == num_left


def test_a_checkpoint_that_cannot_be_found_is_warned_of(store, submit, supervise, surroundings):
    job = submit("save-and-crash")
    supervise()
    shutil.rmtree(surroundings.settings.checkpoints_dir)

    supervise()

    (warning,) = store.records("t", job.id, kinds=["warning"])
    assert warning.body["code"] == "checkpoint_missing"


def folders(surroundings, pattern):
    root = surroundings.settings.checkpoints_dir
    return [path for path in root.rglob(pattern) if path.is_dir()]


def run_ids_of(store):
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT id FROM runs ORDER BY id").scalars().all()


def test_a_cancel_saves_nothing(store, submit, supervise):
    job = submit("save")
    thread = in_background(supervise)
    wait_for_state(store, job, "running")

    store.request_cancel("t", job.id)
    thread.join()

    assert store.records("t", job.id, kinds=["checkpoint"]) == []


def test_a_runner_that_saves_before_it_dies_is_tried_again_for_ever(
    store, submit, supervise, surroundings, pass_delays
):
    job = submit("save-and-crash")

    for _ in range(surroundings.settings.max_attempts + 1):
        supervise()
        pass_delays()

    assert store.state("t", job.id) == "queued"
    (of_job,) = surroundings.settings.checkpoints_dir.iterdir()
    assert [folder.name for folder in of_job.iterdir()] == [str(run_ids_of(store)[-1])], "earlier runs are forgotten"


def test_a_log_beyond_its_size_is_cut(store, submit, supervise, surroundings):
    job = submit("chatty")

    supervise(replace(surroundings, settings=surroundings.settings.model_copy(update={"max_log_bytes": 20_000})))

    assert store.state("t", job.id) == "succeeded"
    assert len(text_of(surroundings, job, "log.txt")) <= 21_000


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


def test_a_runner_that_neither_saves_nor_stops_is_killed_and_its_job_paused(store, submit, supervise, surroundings):
    job = submit("deaf")
    impatient = surroundings.settings.model_copy(update={"drain_grace_s": 0.5})
    thread = in_background(supervise, replace(surroundings, settings=impatient))
    wait_for_state(store, job, "running")

    store.request_pause("t", job.id)
    thread.join()

    assert store.state("t", job.id) == "paused"


def test_a_runner_that_does_not_say_that_it_is_done_is_ended_and_its_job_has_succeeded(
    store, submit, supervise, start_scripted
):
    job = submit("mute")
    runner = start_scripted()

    clean = supervise(runner=runner)

    assert not clean
    assert runner.returncode == -9
    assert store.state("t", job.id) == "succeeded"


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


def test_the_runtime_of_earlier_runs_counts(store, submit, supervise):
    job = submit("deaf", max_runtime_s=60)
    run = store.claim("wrk_0", CPU)
    requeue(store, run.run_id, job.id, usage={"device_s": 59.8, "peak_memory_bytes": 1})

    supervise()

    ended = store.get("t", job.id)
    assert (ended.state, ended.state_reason["code"]) == ("failed", "max_runtime_exceeded")
    assert ended.usage["device_s"] > 60


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
    assert (ended.state, ended.state_reason["code"]) == ("queued", "worker_lost")
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
    requeue(store, run_id_of(store, job), job.id)
    second = store.claim("wrk_2", CPU)
    thread.join()

    assert raised
    assert runner.returncode == -9
    assert store.start_all(second.run_id)[job.id]  # the second run is untouched


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
