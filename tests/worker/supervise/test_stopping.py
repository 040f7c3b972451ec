import time
from dataclasses import replace

import pytest
from one_job import requeue
from supervising import group_ids, in_background, is_alone, reasons, states, wait_for, wait_for_state

from jobs.model import Capabilities
from jobs.states import JobState
from worker.supervise.process import RunnerProcess

CPU = Capabilities(frozenset({"cpu"}))


def test_a_cancel_saves_nothing(store, submit, supervise):
    job = submit("save")
    thread = in_background(supervise)
    wait_for_state(store, job, "running")

    store.request_cancel("t", job.id)
    thread.join()

    assert store.records("t", job.id, kinds=["checkpoint"]) == []


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


def test_a_runner_that_never_comes_up_is_killed(store, submit, supervise, start_scripted, monkeypatch):
    monkeypatch.setattr("worker.supervise.stopping.WARM_UP_TIMEOUT_S", 0.5)
    job = submit("succeed")

    supervise(runner=start_scripted(warm_up_s=600))

    ended = store.get("t", job.id)
    assert (ended.state, ended.state_reason["code"]) == ("queued", "worker_lost")
    assert ended.state_reason["details"]["log_tail"] == ["killed: it did not come up in time"]


def test_a_cancel_takes_one_job_out_and_the_others_train_on(store, submit_group, supervise):
    jobs = submit_group("wait", "wait", "wait")
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")

    store.request_cancel("t", jobs[1].id)
    wait_for_state(store, jobs[1], "cancelled")
    meanwhile = states(store, jobs)
    for job in (jobs[0], jobs[2]):
        store.request_cancel("t", job.id)
    thread.join()

    assert meanwhile == ["running", "cancelled", "running"]
    assert states(store, jobs) == ["cancelled"] * 3
    assert [row.name for row in store.artifacts("t", jobs[1].id)] == ["log.txt", "metrics.csv"]


def test_a_cancel_needs_no_answer_from_the_pass(store, submit_group, supervise):
    jobs = submit_group("stubborn", "stubborn")
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")

    store.request_cancel("t", jobs[0].id)
    wait_for_state(store, jobs[0], "cancelled")
    meanwhile = states(store, jobs)
    store.request_cancel("t", jobs[1].id)
    thread.join()

    assert meanwhile == ["cancelled", "running"]


def test_a_job_that_was_cancelled_before_the_pass_began_does_not_hold_it_up(store, submit_group, supervise):
    jobs = submit_group("wait", "wait")
    thread = in_background(supervise)
    wait_for_state(store, jobs[1], "starting", "running")

    store.request_cancel("t", jobs[1].id)
    wait_for_state(store, jobs[1], "cancelled")
    wait_for_state(store, jobs[0], "running")
    store.request_cancel("t", jobs[0].id)
    thread.join()

    assert states(store, jobs) == ["cancelled", "cancelled"]


def test_a_pause_saves_one_job_apart_and_it_goes_on_alone_from_there(store, submit_group, supervise, surroundings):
    jobs = submit_group("save", "save")
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")

    store.request_pause("t", jobs[0].id)
    wait_for_state(store, jobs[0], "paused")
    meanwhile = states(store, jobs)
    store.request_cancel("t", jobs[1].id)
    thread.join()
    paused = store.get("t", jobs[0].id)
    store.resume("t", jobs[0].id)
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")
    of_job = surroundings.settings.checkpoints_dir / jobs[0].id
    saved = sorted(str(path.relative_to(of_job)) for path in of_job.rglob("step-*"))
    store.request_cancel("t", jobs[0].id)
    thread.join()

    assert meanwhile == ["paused", "running"]
    assert (paused.checkpoint["owner"], paused.checkpoint["step"]) == (jobs[0].id, 9)
    assert saved == ["1/step-000000000009", "2/step-000000000009"]
    assert group_ids(store)[0] is None


def test_a_job_that_does_not_leave_in_time_is_paused_all_the_same(store, submit_group, supervise, surroundings):
    jobs = submit_group("stubborn", "stubborn")
    impatient = surroundings.settings.model_copy(update={"drain_grace_s": 0.3})
    thread = in_background(supervise, replace(surroundings, settings=impatient))
    wait_for_state(store, jobs[0], "running")

    store.request_pause("t", jobs[0].id)
    wait_for_state(store, jobs[0], "paused")
    meanwhile = states(store, jobs)
    store.request_cancel("t", jobs[1].id)
    thread.join()

    assert meanwhile == ["paused", "running"]


def test_a_drain_gives_the_whole_group_back(store, submit_group, supervise, surroundings):
    jobs = submit_group("save", "save")
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")

    surroundings.draining.set()
    thread.join()
    again = store.claim("wrk_2", CPU)

    assert reasons(store, jobs) == [None, None], "they have been claimed again"
    assert [job.id for job in again.jobs] == [job.id for job in jobs]
    owners = {job.checkpoint["owner"] for job in again.jobs}
    assert owners == {again.group_id}
    assert [job.transitions[-2].reason for job in again.jobs] == ["worker_drained"] * 2


def test_memory_that_only_the_company_takes_sends_a_job_back_to_train_alone(
    store, submit_group, supervise, monkeypatch
):
    monkeypatch.setattr("jobs.store.joining.RUNNER_BYTES", 0)  # the scripted runner has no torch
    (modest,) = submit_group("wait", max_memory_bytes=100 << 20)
    (fat,) = submit_group("fat")
    thread = in_background(supervise)

    wait_for_state(store, modest, "queued")
    wait_for_state(store, fat, "running")
    wait_for(lambda: store.get("t", modest.id).attempt == 1 and store.state("t", modest.id) == JobState.QUEUED)
    sent_back = store.get("t", modest.id)
    store.request_cancel("t", fat.id)
    thread.join()

    assert sent_back.state_reason["code"] == "fusion_limit"
    assert "max_memory_bytes" in sent_back.state_reason["message"]
    assert is_alone(store, modest)


@pytest.mark.parametrize(
    ("used_s", "state", "code"), [(59.9, "queued", "fusion_limit"), (60.5, "failed", "max_runtime_exceeded")]
)
def test_time_that_passes_only_for_the_company_sends_a_job_back_and_its_own_ends_it(
    store, submit_group, supervise, used_s, state, code
):
    (short,) = submit_group("wait", max_runtime_s=60)
    run = store.claim("wrk_0", CPU)
    requeue(store, run.run_id, short.id, usage={"device_s": used_s, "peak_memory_bytes": 1})
    others = submit_group(*["wait"] * 7)
    thread = in_background(supervise)
    wait_for_state(store, others[0], "running")

    wait_for_state(store, short, state)
    ended = store.get("t", short.id)
    meanwhile = states(store, others)
    for job in others:
        store.request_cancel("t", job.id)
    thread.join()

    assert ended.state_reason["code"] == code
    assert is_alone(store, short) == (state == "queued")
    assert meanwhile == ["running"] * 7


@pytest.mark.parametrize("wish", ["request_cancel", "request_pause"])
def test_a_wish_waits_for_no_runner_that_is_yet_to_come_and_costs_no_neighbour_its_own(
    store, submit, supervise, surroundings, gated, wish
):
    template, let = gated
    neighbour = RunnerProcess(template)
    job = submit("succeed", spec={"ballast": "x" * 100_000})
    thread = in_background(supervise, surroundings, RunnerProcess(template))
    wait_for_state(store, job, "starting")

    getattr(store, wish)("t", job.id)
    thread.join(10)
    is_over = not thread.is_alive()
    let()
    thread.join()
    is_ready = neighbour.wait_ready(30)

    assert is_over
    assert store.state("t", job.id) == {"request_cancel": "cancelled", "request_pause": "paused"}[wish]
    assert is_ready
    neighbour.close()


def test_a_template_that_never_comes_up_costs_a_job_one_attempt_and_its_worker_no_slot(
    store, submit, supervise, surroundings, gated, monkeypatch
):
    monkeypatch.setattr("worker.supervise.stopping.WARM_UP_TIMEOUT_S", 1.0)
    monkeypatch.setattr("worker.supervise.process.WARM_UP_TIMEOUT_S", 0.0)
    template, let = gated
    job = submit("succeed", spec={"ballast": "x" * 100_000})
    thread = in_background(supervise, surroundings, RunnerProcess(template))
    stuck = template._process

    thread.join(20)
    is_over = not thread.is_alive()
    let()
    thread.join()

    assert is_over
    assert (store.state("t", job.id), reasons(store, [job])) == ("queued", ["worker_lost"])
    assert stuck.wait(5) == -9, "the next runner comes from another"


def test_a_template_that_is_killed_while_jobs_wait_for_its_runners_costs_none_an_attempt(
    store, submit, supervise, surroundings, gated
):
    template, let = gated
    jobs = [submit("succeed") for _ in range(2)]
    threads = [in_background(supervise, surroundings, RunnerProcess(template)) for _ in jobs]
    for job in jobs:
        wait_for_state(store, job, "starting")

    template._process.kill()
    template._process.wait()
    let()
    for thread in threads:
        thread.join()

    assert states(store, jobs) == ["succeeded", "succeeded"]
    assert [store.get("t", job.id).attempt for job in jobs] == [1, 1]
    assert num_lost_attempts(store) == [0, 0]


def num_lost_attempts(store):
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT num_lost_attempts FROM jobs").scalars().all()
