from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from one_job import finish

from jobs.errors import InvalidCursorError, SweepNotFoundError
from jobs.model import Capabilities, JobFilter, NewJob, NewSweep, Sweep, SweepFilter
from jobs.states import JobState, Reason, SweepState, make_reason
from jobs.store import Store

METRIC = "validation/loss"
Submit = Callable[..., Sweep]


def members(store: Store, tenant: str, sweep: Sweep) -> list[Any]:
    return store.sweep_members(tenant, sweep.id, METRIC)


def test_members_are_listed_by_their_sweep(store: Store, submit_sweep: Submit, submit: Any, tenant: str) -> None:
    sweep, _ = submit_sweep(), submit_sweep()
    submit("alone")

    listed = store.list(tenant, JobFilter(sweep_id=sweep.id))

    assert {job.id for job in listed.data} == {one.id for one in members(store, tenant, sweep)}
    assert store.list(tenant, JobFilter(sweep_id="swp_\0")).data == []


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


def test_how_far_a_member_of_a_halving_came_is_told(
    store: Store, new_job: Callable[..., NewJob], cpu: Capabilities, tenant: str
) -> None:
    rungs = {"epochs": [1, 3], "eta": 2, "metric": METRIC, "mode": "min"}
    place = {"variant": None, "values": {}, "seed": 0, "candidate": "0", "rungs": rungs}
    sweep = store.submit_sweep(tenant, NewSweep(None, {}, {}, [replace(new_job(), sweep=place)])).sweep
    claimed = store.claim("wrk_1", cpu)
    assert claimed is not None
    store.start_all(claimed.run_id)
    (before,) = members(store, tenant, sweep)

    for epoch, loss in ((1, 0.5), (3, 0.4)):
        store.judge_rung(
            claimed.run_id, epoch, {claimed.jobs[0].id: loss}, lambda _, new, *__: dict.fromkeys(new, True)
        )
    finish(store, claimed.run_id, claimed.jobs[0].id, JobState.CANCELLED, reason=make_reason(Reason.HALVED))

    (after,) = members(store, tenant, sweep)
    assert (before.was_halved, before.rung, before.rung_value) == (False, 0, None)
    assert (after.was_halved, after.rung, after.rung_value) == (True, 3, 0.4)


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


def test_where_a_sweep_is_not_there_the_newest_are_named_and_ties_go_by_id(
    store: Store, submit_sweep: Submit, rewind: Any, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(["swp_2", "swp_4", "swp_1", "swp_3"])
    monkeypatch.setattr("jobs.store.sweeps.new_id", lambda _: next(ids))
    for _ in range(4):
        submit_sweep()
    rewind("sweeps", "created_at")

    with pytest.raises(SweepNotFoundError, match="swp_4, swp_3, swp_2"):
        store.get_sweep(tenant, "swp_unknown")
