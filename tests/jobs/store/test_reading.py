from collections.abc import Callable

import pytest
from one_job import append, finish

from jobs.errors import ArtifactNotFoundError, JobNotFoundError
from jobs.model import ArtifactRow, ClaimedRun, Job, NewRecord
from jobs.states import JobState
from jobs.store import Store

READS = [
    lambda store, tenant, job_id: store.get(tenant, job_id),
    lambda store, tenant, job_id: store.state(tenant, job_id),
    lambda store, tenant, job_id: store.last_seq(tenant, job_id),
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
    assert store.last_seq(tenant, job_id) == 9
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
