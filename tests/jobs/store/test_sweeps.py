from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from one_job import finish

from jobs.errors import IdempotencyMismatchError, IllegalActionError, SweepNotFoundError
from jobs.model import ArtifactRow, Capabilities, NewSweep, Sweep
from jobs.states import JobState, SweepState
from jobs.store import Store

METRIC = "validation/loss"
Submit = Callable[..., Sweep]


def members(store: Store, tenant: str, sweep: Sweep) -> list[Any]:
    return store.sweep_members(tenant, sweep.id, METRIC)


def test_a_sweep_is_stored_with_its_members(store: Store, submit_sweep: Submit, tenant: str) -> None:
    sweep = submit_sweep(3)

    assert store.get_sweep(tenant, sweep.id) == sweep
    assert (sweep.state, sweep.num_members, sweep.counts["queued"]) == (SweepState.QUEUED, 6, 6)
    found = members(store, tenant, sweep)
    assert [(one.values, one.seed) for one in found] == [({"/a": k}, seed) for k in range(3) for seed in (0, 1)]
    job = store.get(tenant, found[0].id)
    assert job.sweep == {"id": sweep.id, "variant": None, "values": {"/a": 0}, "seed": 0, "candidate": "0"}
    assert job.state is JobState.QUEUED


def test_the_same_key_replays_the_first_sweep(
    store: Store, new_sweep: Callable[..., NewSweep], tenant: str, key: Any
) -> None:
    first = store.submit_sweep(tenant, new_sweep(), key())
    before = store.sweep_members(tenant, first.sweep.id, METRIC)
    store.cancel_sweep(tenant, first.sweep.id)

    again = store.submit_sweep(tenant, new_sweep(), key())

    assert (first.replayed, first.members) == (False, before)
    assert again == store.replay_sweep(tenant, key()) == replace(first, replayed=True)
    assert len(store.list_sweeps(tenant).data) == 1
    assert len(store.list(tenant).data) == first.sweep.num_members
    with pytest.raises(IdempotencyMismatchError):
        store.submit_sweep(tenant, new_sweep(), key(body="other"))


def test_cancelling_ends_every_member_that_has_not_ended(
    store: Store, submit_sweep: Submit, end: Any, cpu: Capabilities, tenant: str
) -> None:
    sweep = submit_sweep(150)  # more than are cancelled at once
    done = end(JobState.SUCCEEDED, result={"metrics": {METRIC: 0.5}})
    claimed = store.claim("wrk_1", cpu)
    assert claimed is not None

    after, cancelled = store.cancel_sweep(tenant, sweep.id)

    assert done not in cancelled
    assert len(cancelled) == 299
    assert (after.counts["cancelled"], after.counts["cancelling"], after.state) == (298, 1, SweepState.RUNNING)
    assert store.cancel_sweep(tenant, sweep.id)[1] == []
    finish(store, claimed.run_id, claimed.jobs[0].id, JobState.CANCELLED)
    assert store.get_sweep(tenant, sweep.id).state is SweepState.CANCELLED
    assert store.cancel_sweep(tenant, sweep.id)[0].state is SweepState.CANCELLED


def test_what_has_ended_cannot_be_cancelled(store: Store, submit_sweep: Submit, end: Any, tenant: str) -> None:
    sweep = submit_sweep(1)
    for _ in range(2):
        end(JobState.SUCCEEDED, result={"metrics": {}})

    with pytest.raises(IllegalActionError, match="a sweep that is succeeded"):
        store.cancel_sweep(tenant, sweep.id)


def test_deleting_takes_the_members_and_frees_the_files_that_nobody_else_has(
    store: Store, submit_sweep: Submit, end: Any, submit: Any, tenant: str
) -> None:
    sweep = submit_sweep(1)
    own, shared = (ArtifactRow("model.safetensors", 1, letter * 64, "a/b") for letter in "ab")
    end(JobState.SUCCEEDED, result={"metrics": {}}, artifacts=[own])
    end(JobState.SUCCEEDED, result={"metrics": {}}, artifacts=[shared])
    other = submit("other").id
    end(JobState.SUCCEEDED, result={"metrics": {}}, artifacts=[shared])

    freed = store.delete_sweep(tenant, sweep.id)

    assert freed == ["a" * 64]
    assert [job.id for job in store.list(tenant).data] == [other]
    with pytest.raises(SweepNotFoundError):
        store.get_sweep(tenant, sweep.id)


def test_a_sweep_that_runs_is_not_deleted(store: Store, submit_sweep: Submit, tenant: str) -> None:
    sweep = submit_sweep()

    with pytest.raises(IllegalActionError, match="Cancel it first"):
        store.delete_sweep(tenant, sweep.id)

    assert len(members(store, tenant, sweep)) == 4


def test_a_deletion_that_was_cut_off_goes_on_when_it_is_asked_for_again(
    store: Store, submit_sweep: Submit, end: Any, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.store.sweeps._NUM_MEMBERS_AT_ONCE", 3)
    sweep = submit_sweep(4)
    rows = [ArtifactRow("model.safetensors", 1, letter * 64, "a/b") for letter in "abcdefgh"]
    for row in rows:
        end(JobState.SUCCEEDED, result={"metrics": {}}, artifacts=[row])
    delete_some = store._delete_some

    def and_die(sweep_id: str) -> None:
        delete_some(sweep_id)
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_delete_some", and_die)
    with pytest.raises(KeyboardInterrupt):
        store.delete_sweep(tenant, sweep.id)
    monkeypatch.setattr(store, "_delete_some", delete_some)

    left = members(store, tenant, sweep)
    freed = store.delete_sweep(tenant, sweep.id)

    assert len(left) == 5
    assert freed == [row.sha256 for row in rows[3:]], "the files of the first are found by whoever sweeps the folder"
    assert store.list(tenant).data == []
    with pytest.raises(SweepNotFoundError):
        store.get_sweep(tenant, sweep.id)


@pytest.mark.parametrize("method", ["get_sweep", "cancel_sweep", "delete_sweep"])
@pytest.mark.parametrize("sweep_id", ["swp_none", "swp_\0", None])
def test_unknown_sweeps_and_other_tenants_are_alike(
    method: str, sweep_id: str | None, store: Store, submit_sweep: Submit
) -> None:
    sweep = submit_sweep()

    with pytest.raises(SweepNotFoundError):
        getattr(store, method)("stranger", sweep_id or sweep.id)
    assert store.list_sweeps("stranger").data == []
