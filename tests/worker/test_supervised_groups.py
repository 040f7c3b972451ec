"""Several jobs in one pass, under one supervisor: each has its own end, files, limits and wishes."""

import time
from dataclasses import replace

import pytest
from one_job import requeue
from supervising import in_background, text_of, wait_for_state

from jobs.model import Capabilities
from jobs.states import JobState

CPU = Capabilities(frozenset({"cpu"}))


@pytest.fixture
def submit_group(submit):
    """Submit jobs that may train in one pass, each with its script."""

    def submit_group(*scripts, **fields):
        return [submit(script, fusion_key="same", **fields) for script in scripts]

    return submit_group


def states(store, jobs):
    return [store.state(job.tenant, job.id).value for job in jobs]


def reasons(store, jobs):
    return [(store.get(job.tenant, job.id).state_reason or {}).get("code") for job in jobs]


def num_runs(store):
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM runs").scalar_one()


def group_ids(store):
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT group_id FROM jobs ORDER BY id").scalars().all()


# One pass


def test_each_job_of_a_pass_has_its_own_records_result_and_files(store, submit_group, supervise, surroundings):
    jobs = submit_group("succeed", "succeed", "succeed")

    clean = supervise()

    assert clean
    assert num_runs(store) == 1
    assert states(store, jobs) == ["succeeded"] * 3
    ids = [job.id for job in jobs]
    for job in jobs:
        ended = store.get("t", job.id)
        assert ended.result["fused_with"] == [other for other in ids if other != job.id]
        assert [step.state for step in ended.transitions] == ["queued", "starting", "running", "succeeded"]
        assert [one.body["step"] for one in store.records("t", job.id, kinds=["metrics"])] == [1, 2]
        assert text_of(surroundings, job, "model.safetensors") == f"weights of {job.id}"
        assert sorted(text_of(surroundings, job, "log.txt").splitlines()) == ["printed by all", "script succeed"]
        assert len(text_of(surroundings, job, "metrics.csv").splitlines()) == 3
    assert list((surroundings.settings.data_dir / "runs").iterdir()) == []


def test_one_that_fails_leaves_the_others_untouched(store, submit_group, supervise, surroundings):
    jobs = submit_group("succeed", "fail", "succeed")

    clean = supervise()

    assert clean
    assert states(store, jobs) == ["succeeded", "failed", "succeeded"]
    assert reasons(store, jobs) == [None, "diverged", None]
    assert [row.name for row in store.artifacts("t", jobs[1].id)] == ["log.txt", "metrics.csv"]
    assert text_of(surroundings, jobs[1], "log.txt").splitlines()[-1] == "diverged: NaN"


def test_the_time_of_the_device_is_shared_out_among_those_that_use_it(store, submit_group, supervise):
    jobs = submit_group("wait", "wait", "wait")
    began_at = time.monotonic()
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")
    time.sleep(0.5)

    for job in jobs:
        store.request_cancel("t", job.id)
    thread.join()

    took_s = time.monotonic() - began_at
    used_s = [store.get("t", job.id).usage["device_s"] for job in jobs]
    assert 0.4 < sum(used_s) < took_s
    assert max(used_s) < took_s / 2


def test_a_measured_size_limits_the_pass_and_is_measured_once(store, submit_group, supervise, surroundings):
    jobs = submit_group("succeed", "succeed", "succeed", "succeed", spec={"fits": 2})

    supervise()
    first = states(store, jobs)
    surroundings.fitting.update({key: replace(one, size=3) for key, one in surroundings.fitting.items()})
    supervise()

    assert first == ["succeeded", "succeeded", "queued", "queued"]
    assert len(surroundings.fitting) == 1
    assert states(store, jobs) == ["succeeded"] * 4, "the answer that was kept counts, not another one"


@pytest.mark.parametrize(("max_fused", "num_together"), [(1, 1), (2, 2)])
def test_a_setting_limits_the_pass(store, submit_group, supervise, surroundings, max_fused, num_together):
    jobs = submit_group("succeed", "succeed", "succeed")
    settings = surroundings.settings.model_copy(update={"max_fused": max_fused})

    supervise(replace(surroundings, settings=settings))

    assert states(store, jobs).count("succeeded") == num_together


def test_a_job_that_nobody_waits_with_is_not_measured(submit_group, supervise, surroundings):
    submit_group("succeed")

    supervise()

    assert surroundings.fitting == {}


def test_a_runner_that_dies_while_it_measures_costs_one_job_its_attempt(store, submit_group, supervise, start_scripted):
    jobs = submit_group("succeed", "succeed")
    dead = start_scripted()
    dead.kill()

    clean = supervise(runner=dead)

    assert not clean
    assert states(store, jobs) == ["queued", "queued"]
    assert reasons(store, jobs) == ["worker_lost", None]


def test_weights_to_start_from_that_are_gone_fail_that_job_alone(store, submit_group, submit, supervise):
    (job,) = submit_group("succeed")
    astray = submit("succeed", fusion_key="same", spec={"init_from": {"job_id": "job_gone"}})

    supervise()

    assert states(store, [job, astray]) == ["succeeded", "failed"]
    assert reasons(store, [job, astray]) == [None, "invalid_data"]
    assert "job_gone" in store.get("t", astray.id).state_reason["message"]


def test_a_runner_whose_only_job_cannot_start_may_serve_again(store, submit, supervise):
    astray = submit("succeed", spec={"init_from": {"job_id": "job_gone"}})

    clean = supervise()

    assert clean
    assert states(store, [astray]) == ["failed"]


def test_weights_to_start_from_are_handed_to_the_runner(store, submit, supervise, surroundings):
    source = submit("succeed")
    supervise()
    follower = submit("start-from", spec={"init_from": {"job_id": source.id}})

    supervise()

    assert text_of(surroundings, follower, "log.txt").splitlines() == ["script start-from", f"weights of {source.id}"]


def test_a_rerun_from_anothers_checkpoint_trained_with_nobody(store, submit, supervise):
    parent = {"owner": "job_parent", "key": "job_parent", "run_id": 1, "step": 5, "furthest_step": 5, "name": "step-5"}
    rerun = submit("succeed", checkpoint=parent)

    supervise()

    assert store.get("t", rerun.id).result["fused_with"] == []


# What a user asks of one of them


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


# Limits


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


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_alone(store, job):
    with store._database.read() as connection:
        row = connection.exec_driver_sql(f"SELECT alone, group_id FROM jobs WHERE id = '{job.id}'").one()
    return (bool(row.alone), row.group_id) == (True, None)


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


def test_a_pass_that_runs_out_of_memory_sends_its_jobs_back_to_train_alone(store, submit_group, supervise):
    jobs = submit_group("exhaust", "wait")

    clean = supervise()

    assert not clean
    assert states(store, jobs) == ["queued", "queued"]
    assert reasons(store, jobs) == ["fusion_limit"] * 2
    assert all(is_alone(store, job) for job in jobs)


def test_a_job_that_runs_out_of_memory_alone_fails(store, submit, supervise):
    job = submit("exhaust")

    supervise()

    assert (states(store, [job]), reasons(store, [job])) == (["failed"], ["out_of_memory"])


# Losses


def test_a_member_that_kills_every_runner_fails_and_its_companions_do_not(store, submit_group, supervise, pass_delays):
    jobs = submit_group("succeed", "crash", "succeed")
    together = []

    for _ in range(2):
        supervise()
        together.append(states(store, jobs))
    alone_reasons = reasons(store, jobs)
    while "queued" in states(store, jobs):
        pass_delays()
        supervise()

    # What the first has said before the runner died counts: it had succeeded.
    assert together == [["succeeded", "queued", "queued"]] * 2
    assert alone_reasons == [None, "fusion_limit", "fusion_limit"]
    assert states(store, jobs) == ["succeeded", "failed", "succeeded"]
    assert reasons(store, jobs) == [None, "poisoned", None]
    assert store.get("t", jobs[2].id).result["fused_with"] == []


def test_a_killed_group_begins_with_its_checkpoint_as_the_same_group(store, submit_group, supervise, surroundings):
    jobs = submit_group("save-and-crash", "wait")

    supervise()
    lost = [store.get("t", job.id).checkpoint for job in jobs]
    again = store.claim("wrk_1", CPU)

    assert [checkpoint["step"] for checkpoint in lost] == [1, 1]
    assert [checkpoint["owner"] for checkpoint in lost] == [again.group_id] * 2
    assert [checkpoint["key"] for checkpoint in lost] == [job.id for job in jobs]
    assert [job.id for job in again.jobs] == again.companions == [job.id for job in jobs]
    (owner,) = surroundings.settings.checkpoints_dir.iterdir()
    assert owner.name == again.group_id


@pytest.mark.parametrize(("other", "num_left"), [("succeed", 0), ("fail", 1)])
def test_the_checkpoints_of_a_group_go_when_all_of_it_has_succeeded(
    submit_group, supervise, surroundings, other, num_left
):
    submit_group("save-and-succeed", other)

    supervise()

    assert len(list(surroundings.settings.checkpoints_dir.iterdir())) == num_left
