from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from one_job import finish

from jobs.errors import IdempotencyMismatchError, IllegalActionError, InvalidCursorError, SweepNotFoundError
from jobs.model import ArtifactRow, Capabilities, JobFilter, NewJob, NewSweep, Sweep, SweepFilter
from jobs.states import JobState, Reason, SweepState, make_reason
from jobs.store import Store

METRIC = "validation/loss"
Submit = Callable[..., Sweep]


@pytest.fixture
def new_sweep(new_job: Callable[..., NewJob]) -> Callable[..., NewSweep]:
    """Makes sweeps of combinations with two seeds each."""

    def make(num_candidates: int = 2, name: str | None = "sweep", labels: dict[str, str] | None = None) -> NewSweep:
        members = [
            replace(
                new_job(labels={"team": "vision"}),
                sweep={"variant": None, "values": {"/a": k}, "seed": seed, "candidate": str(k)},
            )
            for k in range(num_candidates)
            for seed in (0, 1)
        ]
        return NewSweep(name, labels or {}, {"base": {}}, members)

    return make


@pytest.fixture
def submit_sweep(store: Store, new_sweep: Callable[..., NewSweep], tenant: str) -> Submit:
    """Submits a sweep and returns it."""
    return lambda *args, **fields: store.submit_sweep(tenant, new_sweep(*args, **fields)).sweep


@pytest.fixture
def end(store: Store, cpu: Capabilities) -> Callable[..., str]:
    """Claims the next member, starts it and ends it."""

    def end_next(state: JobState, **fields: Any) -> str:
        claimed = store.claim("wrk_1", cpu)
        assert claimed is not None
        job_id = claimed.jobs[0].id
        store.start_all(claimed.run_id)
        finish(store, claimed.run_id, job_id, state, **fields)
        return job_id

    return end_next


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


def test_members_are_listed_by_their_sweep(store: Store, submit_sweep: Submit, submit: Any, tenant: str) -> None:
    sweep, _ = submit_sweep(), submit_sweep()
    submit("alone")

    listed = store.list(tenant, JobFilter(sweep_id=sweep.id))

    assert {job.id for job in listed.data} == {one.id for one in members(store, tenant, sweep)}
    assert store.list(tenant, JobFilter(sweep_id="swp_\0")).data == []


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


def test_its_state_follows_from_its_members(store: Store, submit_sweep: Submit, end: Any, tenant: str) -> None:
    sweep = submit_sweep(1)
    states = [store.get_sweep(tenant, sweep.id).state]
    end(JobState.FAILED, reason=make_reason(Reason.DIVERGED))
    states.append(store.get_sweep(tenant, sweep.id).state)
    end(JobState.SUCCEEDED, result={"metrics": {METRIC: 0.5}})

    ended = store.get_sweep(tenant, sweep.id)

    assert [*states, ended.state] == [SweepState.QUEUED, SweepState.RUNNING, SweepState.SUCCEEDED]
    assert (ended.counts["failed"], ended.counts["succeeded"]) == (1, 1)
    assert ended.started_at is not None
    assert ended.finished_at is not None
    assert ended.created_at <= ended.started_at <= ended.finished_at


def test_it_has_failed_only_if_every_member_has(store: Store, submit_sweep: Submit, end: Any, tenant: str) -> None:
    sweep = submit_sweep(1)

    for _ in range(2):
        end(JobState.FAILED, reason=make_reason(Reason.DIVERGED))

    assert store.get_sweep(tenant, sweep.id).state is SweepState.FAILED


def test_members_stopped_at_a_rung_are_told_apart(store: Store, submit_sweep: Submit, end: Any, tenant: str) -> None:
    sweep = submit_sweep(1)
    end(JobState.CANCELLED, reason=make_reason(Reason.HALVED))
    end(JobState.SUCCEEDED, result={"metrics": {METRIC: 0.5}})

    ended = store.get_sweep(tenant, sweep.id)

    assert (ended.state, ended.num_halved, ended.counts["cancelled"]) == (SweepState.SUCCEEDED, 1, 1)


def test_the_objective_is_read_from_the_results(store: Store, submit_sweep: Submit, end: Any, tenant: str) -> None:
    sweep = submit_sweep(2)
    result = {"metrics": {METRIC: 0.5, "test/loss": 0.7}}
    end(JobState.SUCCEEDED, result=result)
    end(JobState.SUCCEEDED, result={"metrics": {METRIC: None}})

    first, second, *_ = store.sweep_members(tenant, sweep.id, METRIC, with_results=True)

    assert (first.objective, first.result) == (0.5, result)
    assert (second.objective, second.state) == (None, JobState.SUCCEEDED)
    assert members(store, tenant, sweep)[0].result is None
    assert store.sweep_members(tenant, sweep.id, "test/loss")[0].objective == 0.7


def test_sweeps_are_listed_page_by_page_the_newest_first(store: Store, submit_sweep: Submit, tenant: str) -> None:
    ids = [submit_sweep(1, name=str(k)).id for k in range(5)]
    found: list[str] = []
    after = None
    while True:
        page = store.list_sweeps(tenant, after=after, limit=2)
        found += [sweep.id for sweep in page.data]
        if not page.has_more:
            break
        after = page.next_after

    assert found == ids[::-1]
    assert page.data[0].counts["queued"] == 2
    with pytest.raises(InvalidCursorError):
        store.list_sweeps(tenant, after="x")


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (SweepFilter(name="b"), ["b"]),
        (SweepFilter(labels=(("team/x", "vi.sion"),)), ["a"]),
        (SweepFilter(labels=(("team/x", "vi.sion"), ("y", "z"))), []),
        (SweepFilter(labels=(("team", "x"),)), []),
        (SweepFilter(name="\0"), []),
        (SweepFilter(created_after=9e9), []),
        (SweepFilter(created_before=9e9), ["b", "a"]),
    ],
)
def test_filters_choose_sweeps(
    wanted: SweepFilter, names: list[str], store: Store, submit_sweep: Submit, tenant: str
) -> None:
    submit_sweep(1, name="a", labels={"team/x": "vi.sion"})
    submit_sweep(1, name="b")

    assert [sweep.name for sweep in store.list_sweeps(tenant, wanted).data] == names


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
