"""Several jobs in one pass, under one supervisor: each has its own end, files, limits and wishes."""

import time

import pytest
from supervising import in_background, is_alone, num_runs, reasons, states, text_of, wait_for_state

from jobs.model import Capabilities

CPU = Capabilities(frozenset({"cpu"}))


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


def test_models_of_other_jobs_are_handed_to_the_runner_with_what_describes_them(store, submit, supervise, surroundings):
    source, teacher = submit("succeed"), submit("succeed")
    supervise()
    supervise()
    spec = {"init_from": {"job_id": source.id}, "regularizers": [taught_by(teacher.id)]}
    follower = submit("start-from", spec=spec)

    supervise()

    lines = text_of(surroundings, follower, "log.txt").splitlines()
    assert lines == [
        "script start-from",
        f"knowledge_distillation.teacher: weights of {teacher.id}, model of {teacher.id}",
        f"init_from: weights of {source.id}, model of {source.id}",
    ]


def taught_by(job_id):
    return {"kind": "knowledge_distillation", "teacher": {"job_id": job_id}}


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("how", ["lost", "truncated", "altered"])
def test_weights_to_start_from_that_are_damaged_fail_that_job_alone(
    store, submit_group, submit, supervise, surroundings, how, name
):
    source = submit("succeed")
    supervise()
    file = surroundings.artifacts.find(store.artifact("t", source.id, name))
    content = file.read_bytes()
    file.unlink()
    if how != "lost":
        file.write_bytes(content[:-1] if how == "truncated" else content[::-1])
    (job,) = submit_group("succeed")
    astray = submit("start-from", fusion_key="same", spec={"init_from": {"job_id": source.id}})

    supervise()

    assert states(store, [job, astray]) == ["succeeded", "failed"]
    assert reasons(store, [job, astray]) == [None, "invalid_data"]
    assert f"'{name}' is damaged" in store.get("t", astray.id).state_reason["message"]


def test_weights_that_many_start_from_are_read_once(store, submit, supervise, surroundings, monkeypatch):
    source = submit("succeed")
    supervise()
    read = note_verified(surroundings, monkeypatch)
    of_one = [submit("start-from", fusion_key="same", spec={"init_from": {"job_id": source.id}}) for _ in range(4)]
    of_none = [submit("succeed", fusion_key="same", spec={"init_from": {"job_id": "job_gone"}}) for _ in range(2)]

    supervise()

    assert [row.name for row in read] == ["model.safetensors", "model.json"]
    assert states(store, of_one) == ["succeeded"] * 4
    assert reasons(store, of_none) == ["invalid_data"] * 2


def test_the_lease_is_kept_while_weights_are_read(store, submit, supervise, surroundings, monkeypatch):
    sources = [submit("succeed") for _ in range(4)]
    for _ in sources:
        supervise()
    note_verified(surroundings, monkeypatch, takes_s=surroundings.settings.lease_s / 2)
    jobs = [submit("start-from", fusion_key="same", spec={"init_from": {"job_id": one.id}}) for one in sources]
    thread = in_background(supervise)

    wait_for_state(store, jobs[0], "starting")
    lost = set()
    while thread.is_alive():
        lost |= set(store.expire_leases())
        thread.join(0.05)

    assert lost == set()
    assert states(store, jobs) == ["succeeded"] * 4


def note_verified(surroundings, monkeypatch, takes_s=0.0):
    """The files that are read through from now on, each in so much time."""
    read, verify = [], surroundings.artifacts.verify

    def noting(row):
        read.append(row)
        time.sleep(takes_s)
        return verify(row)

    monkeypatch.setattr(surroundings.artifacts, "verify", noting)
    return read


def test_behind_a_checkpoint_nobody_asks_for_the_first_weights(store, submit, supervise):
    checkpoint = {"owner": "job_gone", "run_id": 1, "name": "step-1", "step": 1}
    goes_on = submit("succeed", spec={"init_from": {"job_id": "job_gone"}}, checkpoint=checkpoint)

    supervise()

    assert states(store, [goes_on]) == ["succeeded"]


def test_also_behind_a_checkpoint_a_teacher_is_needed(store, submit, supervise):
    checkpoint = {"owner": "job_gone", "run_id": 1, "name": "step-1", "step": 1}
    gone = "job_00000000000000000000000000"
    goes_on = submit("succeed", spec={"regularizers": [taught_by(gone)]}, checkpoint=checkpoint)

    supervise()

    assert reasons(store, [goes_on]) == ["invalid_data"]
    assert (
        f"The model of {gone}, which knowledge_distillation.teacher names"
        in (store.get("t", goes_on.id).state_reason["message"])
    )


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


def test_a_pass_that_runs_out_of_memory_sends_its_jobs_back_to_train_alone(store, submit_group, supervise):
    jobs = submit_group("fail", "exhaust", "wait")[1:]

    clean = supervise()

    assert not clean
    assert states(store, jobs) == ["queued", "queued"]
    assert reasons(store, jobs) == ["fusion_limit"] * 2
    assert "2 other job(s)" in store.get("t", jobs[-1].id).state_reason["message"]
    assert all(is_alone(store, job) for job in jobs)


def test_a_job_that_runs_out_of_memory_alone_fails(store, submit, supervise):
    job = submit("exhaust")

    supervise()

    assert (states(store, [job]), reasons(store, [job])) == (["failed"], ["out_of_memory"])
