import time
from dataclasses import replace

import pytest
from supervising import in_background, note_settled, states, wait_for, wait_for_state

from jobs.errors import StoreUnavailableError
from jobs.model import Settlement
from jobs.states import JobState
from worker.supervise.lease import LeaseLostError


def test_an_end_whose_commit_was_not_heard_of_costs_the_others_nothing(store, submit_group, supervise, monkeypatch):
    jobs = submit_group("fail", "slow")
    settle = store.settle
    losses = iter([StoreUnavailableError()])

    def settle_and_lose_the_answer(run_id, ends):
        states = settle(run_id, ends)
        for loss in losses:
            raise loss
        return states

    monkeypatch.setattr(store, "settle", settle_and_lose_the_answer)
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "failed")
    time.sleep(1.0)
    meanwhile = states(store, jobs)
    store.request_cancel("t", jobs[1].id)
    thread.join()

    assert meanwhile == ["failed", "running"]
    assert states(store, jobs) == ["failed", "cancelled"]


def test_a_run_that_was_lost_meanwhile_is_not_taken_for_one_whose_commit_was_not_heard_of(
    store, submit_group, supervise, monkeypatch
):
    jobs = submit_group("fail", "slow")
    taken = []
    settle = store.settle

    def lose_all_and_the_answer(run_id, ends):
        if not taken:
            taken.append(settle(run_id, [Settlement(job_id=job.id, state=JobState.QUEUED) for job in jobs]))
            raise StoreUnavailableError
        return settle(run_id, ends)

    monkeypatch.setattr(store, "settle", lose_all_and_the_answer)

    with pytest.raises(LeaseLostError):
        supervise()

    assert states(store, jobs) == ["queued", "queued"]


@pytest.fixture
def leave_one(store, submit_group, supervise, surroundings):
    """Ask one of two jobs to leave, once they were saved; what it is then, while the other trains on."""

    def leave_one(ask, state, **settings):
        jobs = submit_group("save-and-hold", "save-and-hold")
        changed = surroundings.settings.model_copy(update={"drain_grace_s": 0.3, **settings})
        thread = in_background(supervise, replace(surroundings, settings=changed))
        wait_for(lambda: all(store.get("t", job.id).checkpoint for job in jobs))
        ask("t", jobs[0].id)
        wait_for_state(store, jobs[0], state)
        left = store.get("t", jobs[0].id)
        surroundings.draining.set()
        thread.join()
        surroundings.draining.clear()
        return left

    return leave_one


@pytest.mark.parametrize(("wish", "state"), [("cancel", "cancelled"), ("pause", "paused")])
def test_who_leaves_unsaved_keeps_what_the_group_had_saved(store, leave_one, surroundings, wish, state):
    left = leave_one(getattr(store, f"request_{wish}"), state)

    saved = left.checkpoint
    assert (saved["owner"], saved["step"]) == (left.id, 5)
    folder = surroundings.settings.checkpoints_dir / saved["owner"] / str(saved["run_id"]) / saved["name"]
    assert (folder / "state").read_text() == "of run 1"
    assert store.records("t", left.id, kinds=["warning"]) == []


@pytest.mark.parametrize(("wish", "state", "codes"), [("cancel", "cancelled", []), ("pause", "paused", ["missing"])])
def test_who_leaves_unsaved_and_cannot_keep_it_has_no_checkpoint(store, leave_one, wish, state, codes):
    left = leave_one(getattr(store, f"request_{wish}"), state, max_checkpoint_bytes=1)

    assert left.checkpoint is None
    warnings = [record.body["code"] for record in store.records("t", left.id, kinds=["warning"])]
    assert warnings == [f"checkpoint_{code}" for code in codes]


def test_those_that_go_back_together_go_back_at_once(store, submit_group, supervise, surroundings, monkeypatch):
    jobs = submit_group("slow", "slow", "slow")
    settled = note_settled(store, monkeypatch)
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "running")

    surroundings.draining.set()
    thread.join()

    assert settled == [[job.id for job in jobs]], "in between, another worker could claim a part of the group"
    for job in jobs:
        lines = [record.body["message"] for record in store.records("t", job.id, kinds=["log"])]
        assert lines.count("printed while it stops") >= 2, "who waits for the others hears what all hear"


def test_who_has_ended_does_not_wait_for_those_that_go_back(store, submit_group, supervise, surroundings, monkeypatch):
    jobs = submit_group("succeed", "slow", "slow")
    settled = note_settled(store, monkeypatch)
    thread = in_background(supervise)
    wait_for_state(store, jobs[0], "succeeded")

    surroundings.draining.set()
    thread.join()

    assert settled == [[jobs[0].id], [jobs[1].id, jobs[2].id]]


@pytest.mark.parametrize(("other", "num_left"), [("succeed", 0), ("fail", 1)])
def test_the_checkpoints_of_a_group_go_when_all_of_it_has_succeeded(
    submit_group, supervise, surroundings, other, num_left
):
    submit_group("save-and-succeed", other)

    supervise()

    assert len(list(surroundings.settings.checkpoints_dir.iterdir())) == num_left


@pytest.mark.parametrize(("script", "num_left"), [("save-and-succeed", 0), ("fail", 1)])
def test_only_a_job_that_succeeded_needs_no_checkpoint_any_more(submit, supervise, surroundings, script, num_left):
    submit(script)

    supervise()

    assert len(list(surroundings.settings.checkpoints_dir.iterdir())) == num_left
