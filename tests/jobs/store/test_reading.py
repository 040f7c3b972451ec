from collections.abc import Callable

import pytest
from one_job import append, finish, ids_of, saved

from jobs.errors import ArtifactNotFoundError, JobNotFoundError
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Job, NewRecord, Settlement
from jobs.states import JobState
from jobs.store import Store

READS = [
    lambda store, tenant, job_id: store.get(tenant, job_id),
    lambda store, tenant, job_id: store.state(tenant, job_id),
    lambda store, tenant, job_id: store.log_head(tenant, job_id),
    lambda store, tenant, job_id: store.records(tenant, job_id),
    lambda store, tenant, job_id: store.artifacts(tenant, job_id),
    lambda store, tenant, job_id: store.artifact(tenant, job_id, "log.txt"),
]


@pytest.mark.parametrize("read", READS)
def test_an_unknown_job_and_another_tenants_are_alike_not_found(
    store: Store, submit: Callable[..., Job], read: Callable[[Store, str, str], object]
) -> None:
    job = submit()

    with pytest.raises(JobNotFoundError) as of_another:
        read(store, "tenant-b", job.id)
    with pytest.raises(JobNotFoundError) as unknown:
        read(store, "tenant-b", "job_unknown")

    assert str(of_another.value).replace(job.id, "job_unknown") == str(unknown.value)


@pytest.mark.parametrize("read", READS)
def test_a_job_id_that_no_database_can_hold_is_not_found(
    store: Store, tenant: str, read: Callable[[Store, str, str], object]
) -> None:
    with pytest.raises(JobNotFoundError):
        read(store, tenant, "job_\0")


def test_the_states_of_many_jobs_are_read_at_once_and_what_is_not_there_left_out(
    store: Store, tenant: str, running: Callable[..., ClaimedRun]
) -> None:
    job_id = running().jobs[0].id
    asked = [*(f"job_{number}" for number in range(1200)), job_id, job_id, "job_\0"]

    assert store.states_among(tenant, asked) == {job_id: JobState.RUNNING}
    assert store.states_among("nobody", asked) == {}


def test_a_record_after_the_last_possible_one_is_not_there(
    store: Store, tenant: str, submit: Callable[..., Job]
) -> None:
    assert store.records(tenant, submit().id, after=10**30) == []


def test_records_come_in_order_by_page_and_kind(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    job_id = run.jobs[0].id
    append(store, run.run_id, job_id, [NewRecord("log", {"message": str(n)}, 1.0 + n) for n in range(5)])
    append(store, run.run_id, job_id, [NewRecord("metrics", {"step": 1}, 9.0, key="step:1")])

    everything = store.records(tenant, job_id)
    page = store.records(tenant, job_id, after=4, limit=2)

    assert [record.seq for record in everything] == list(range(1, 10))
    assert [record.kind for record in everything] == ["state"] * 3 + ["log"] * 5 + ["metrics"]
    assert [(record.seq, record.body["message"], record.at) for record in page] == [
        (5, "1", 2.0),
        (6, "2", 3.0),
    ]
    assert [record.seq for record in store.records(tenant, job_id, kinds=["metrics"])] == [9]
    assert store.log_head(tenant, job_id).last_seq == 9
    assert store.state(tenant, job_id) is JobState.RUNNING


def test_artifacts_are_found_by_name(store: Store, tenant: str, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    job_id = run.jobs[0].id
    model = ArtifactRow("model.safetensors", 5_000_000_000, "b" * 64, "application/octet-stream")
    log = ArtifactRow("log.txt", 3, "a" * 64, "text/plain")
    finish(store, run.run_id, job_id, JobState.SUCCEEDED, artifacts=[model, log])

    assert store.artifacts(tenant, job_id) == [log, model]
    assert store.artifact(tenant, job_id, "model.safetensors") == model
    with pytest.raises(ArtifactNotFoundError):
        store.artifact(tenant, job_id, "../log.txt")
    with pytest.raises(ArtifactNotFoundError):
        store.artifact(tenant, job_id, "log.txt\0")


def test_referenced_tells_known_hashes_from_others(store: Store, running: Callable[..., ClaimedRun]) -> None:
    run = running()
    log = ArtifactRow("log.txt", 3, "a" * 64, "text/plain")
    finish(store, run.run_id, run.jobs[0].id, JobState.SUCCEEDED, artifacts=[log])

    assert store.referenced(["a" * 64, "b" * 64, *(f"{n:064x}" for n in range(1200))]) == {"a" * 64}
    assert store.referenced([]) == set()


def test_the_checkpoints_of_a_group_are_needed_until_its_last_job_has_ended(
    store: Store, running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(2)
    first, second = ids_of(group)
    owners = [str(group.group_id), first, second, "job_unknown"]

    finish(store, group.run_id, first, JobState.SUCCEEDED)
    while_one_trains = (store.needed_owners(owners), store.succeeded_owners(owners))
    finish(store, group.run_id, second, JobState.SUCCEEDED)

    assert while_one_trains == ({group.group_id, second}, {first})
    assert store.needed_owners(owners) == set()
    assert store.succeeded_owners(owners) == {group.group_id, first, second}


def test_a_group_that_was_dissolved_has_succeeded_once_nobody_goes_on_from_it(
    store: Store, running_group: Callable[..., ClaimedRun], cpu: Capabilities
) -> None:
    group = running_group(2)
    owner = str(group.group_id)
    store.append_all(group.run_id, {job_id: [saved(5)] for job_id in ids_of(group)})
    store.settle(group.run_id, [Settlement(job_id=job.id, state=JobState.QUEUED, alone=True) for job in group.jobs])
    first, second = store.claim("wrk_1", cpu), store.claim("wrk_1", cpu)
    assert first is not None
    assert second is not None
    for run in (first, second):
        store.start_all(run.run_id)

    finish(store, first.run_id, first.jobs[0].id, JobState.SUCCEEDED)
    while_one_trains = store.succeeded_owners([owner])
    finish(store, second.run_id, second.jobs[0].id, JobState.FAILED)
    while_one_may_be_rerun = store.succeeded_owners([owner])
    store.delete(second.jobs[0].tenant, second.jobs[0].id)

    assert while_one_trains == while_one_may_be_rerun == set()
    assert store.succeeded_owners([owner, "job_unknown"]) == {owner}


def test_a_group_with_a_failure_has_not_succeeded(store: Store, running_group: Callable[..., ClaimedRun]) -> None:
    group = running_group(2)
    first, second = ids_of(group)
    finish(store, group.run_id, first, JobState.SUCCEEDED)
    finish(store, group.run_id, second, JobState.FAILED)

    assert store.succeeded_owners([str(group.group_id), first, second]) == {first}
    assert store.needed_owners([str(group.group_id)]) == set()


def test_a_job_that_goes_on_from_anothers_checkpoint_needs_it(
    store: Store, submit: Callable[..., Job], running_group: Callable[..., ClaimedRun]
) -> None:
    group = running_group(2)
    store.append_all(group.run_id, {job_id: [saved(5)] for job_id in ids_of(group)})
    store.settle(group.run_id, [Settlement(job_id=job.id, state=JobState.FAILED) for job in group.jobs])
    own = {"owner": group.group_id, "key": ids_of(group)[0], "run_id": group.run_id, "step": 5, "furthest_step": 5}

    rerun = submit(checkpoint={**own, "name": "step-5"}).id

    assert store.needed_owners([str(group.group_id)]) == {group.group_id}
    store.request_cancel("tenant-a", rerun)
    assert store.needed_owners([str(group.group_id)]) == set()
