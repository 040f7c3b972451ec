import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.database import Database
from jobs.errors import IdempotencyBusyError, IdempotencyMismatchError
from jobs.migrate import migrate
from jobs.model import Capabilities, IdempotencyKey, Job, NewJob, Transition
from jobs.settings import Settings
from jobs.states import JobState
from jobs.store import Store, open_store
from jobs.tables import idempotency


def test_a_submitted_job_is_queued_and_untouched(store: Store, tenant: str, new_job: Callable[..., NewJob]) -> None:
    submission = store.submit(tenant, new_job("first", labels={"b": "2", "a": "1"}, priority="high"))

    job = store.get(tenant, submission.job.id)
    assert not submission.replayed
    assert job == submission.job
    assert (job.state, job.attempt, job.state_reason, job.version) == (JobState.QUEUED, 0, None, 1)
    assert (job.name, job.labels, job.priority) == ("first", {"b": "2", "a": "1"}, "high")
    assert job.transitions == [Transition(JobState.QUEUED, job.created_at, None)]
    assert job.progress == {
        "epoch": 0,
        "num_epochs": 3,
        "step": 0,
        "num_steps": 30,
        "fraction": 0.0,
        "eta_s": None,
    }
    assert job.usage == {"device_s": 0.0, "peak_memory_bytes": None}
    assert (job.result, job.started_at, job.finished_at, job.heartbeat_at) == (None, None, None, None)


def test_a_submitted_job_is_due_at_once(store: Store, submit: Callable[..., Job]) -> None:
    job = submit()

    assert store.due_jobs() == [job.id]


def test_the_first_record_is_the_state(store: Store, tenant: str, submit: Callable[..., Job]) -> None:
    job = submit()

    (record,) = store.records(tenant, job.id)
    assert (record.seq, record.kind, record.at) == (1, "state", job.created_at)
    assert record.body == {"state": "queued", "reason": None, "message": None, "attempt": 0}


def test_json_keeps_the_order_of_its_keys(store: Store, tenant: str, new_job: Callable[..., NewJob]) -> None:
    job = store.submit(tenant, new_job(labels={"z": "1", "a": "2"})).job

    assert list(store.get(tenant, job.id).labels) == ["z", "a"]


def test_the_same_key_and_body_replays_the_first_answer(
    store: Store,
    tenant: str,
    new_job: Callable[..., NewJob],
    key: Callable[..., IdempotencyKey],
    cpu: Capabilities,
) -> None:
    first = store.submit(tenant, new_job("one"), key())
    store.claim("wrk_1", cpu)

    again = store.submit(tenant, new_job("one"), key())

    assert again.replayed
    assert again.job == first.job
    assert len(store.list(tenant).data) == 1


def test_the_first_answer_is_replayed_even_after_the_job_was_deleted(
    store: Store, tenant: str, new_job: Callable[..., NewJob], key: Callable[..., IdempotencyKey]
) -> None:
    first = store.submit(tenant, new_job(), key())
    store.request_cancel(tenant, first.job.id)
    store.delete(tenant, first.job.id)

    assert store.submit(tenant, new_job(), key()).job == first.job


def test_the_same_key_with_another_body_is_refused_and_stores_nothing(
    store: Store, tenant: str, new_job: Callable[..., NewJob], key: Callable[..., IdempotencyKey]
) -> None:
    store.submit(tenant, new_job(), key(body="one"))

    with pytest.raises(IdempotencyMismatchError):
        store.submit(tenant, new_job(), key(body="two"))

    assert len(store.list(tenant).data) == 1


def test_a_key_is_per_tenant_and_route(
    store: Store, tenant: str, new_job: Callable[..., NewJob], key: Callable[..., IdempotencyKey]
) -> None:
    submissions = [
        store.submit(tenant, new_job(), key()),
        store.submit("tenant-b", new_job(), key()),
        store.submit(tenant, new_job(), key(route="POST /v1/other")),
    ]

    assert not any(submission.replayed for submission in submissions)


def test_replay_looks_without_storing(
    store: Store, tenant: str, new_job: Callable[..., NewJob], key: Callable[..., IdempotencyKey]
) -> None:
    before = store.replay(tenant, key())
    first = store.submit(tenant, new_job(), key())

    assert before is None
    assert store.replay(tenant, key()) == first.job
    with pytest.raises(IdempotencyMismatchError):
        store.replay(tenant, key(body="another"))


def test_twenty_submits_at_once_with_one_key_make_one_job(
    store: Store, tenant: str, new_job: Callable[..., NewJob], key: Callable[..., IdempotencyKey]
) -> None:
    with ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(store.submit, tenant, new_job(), key()) for _ in range(20)]
        submissions = [call.result() for call in calls]

    assert len({submission.job.id for submission in submissions}) == 1
    assert [submission.replayed for submission in submissions].count(False) == 1
    assert len(store.list(tenant).data) == 1


def test_a_key_that_another_call_holds_for_long_is_busy(
    postgres_url: str,
    settings: Settings,
    tenant: str,
    new_job: Callable[..., NewJob],
    key: Callable[..., IdempotencyKey],
) -> None:
    settings = settings.model_copy(update={"database_url": Settings(database_url=postgres_url).database_url})
    migrate(settings)
    store, other_process = open_store(settings), Database(settings.database_url)
    held = key()
    row = {"tenant": tenant, "route": held.route, "key": held.key}

    with other_process.write() as connection:
        values = {**row, "body_sha256": held.body_sha256, "answer": {}, "created_at": time.time()}
        connection.execute(idempotency.insert().values(values))
        with pytest.raises(IdempotencyBusyError):
            store.submit(tenant, new_job(), held)

    assert store.list(tenant).data == []
    store.close()
    other_process.close()


def test_an_old_key_is_forgotten(
    store: Store,
    tenant: str,
    new_job: Callable[..., NewJob],
    key: Callable[..., IdempotencyKey],
    rewind: Callable[..., None],
) -> None:
    first = store.submit(tenant, new_job(), key())
    rewind("idempotency", "created_at")

    looked_up = store.replay(tenant, key())
    second = store.submit(tenant, new_job(), key(body="another"))

    assert looked_up is None
    assert second.job.id != first.job.id


def test_forget_answers_deletes_only_old_ones(
    store: Store,
    tenant: str,
    new_job: Callable[..., NewJob],
    key: Callable[..., IdempotencyKey],
    rewind: Callable[..., None],
) -> None:
    store.submit(tenant, new_job(), key("old"))
    rewind("idempotency", "created_at")
    store.submit(tenant, new_job(), key("new"))

    assert store.forget_answers() == 1
    assert store.replay(tenant, key("new")) is not None


def test_nothing_is_stored_when_the_transaction_fails(
    store: Store, tenant: str, new_job: Callable[..., NewJob], key: Callable[..., IdempotencyKey]
) -> None:
    not_json = new_job(labels={"fine": "yes"})
    not_json.plan["loss"] = float("nan")

    with pytest.raises(Exception, match="JSON compliant"):
        store.submit(tenant, not_json, key())

    assert store.list(tenant).data == []
    assert store.replay(tenant, key()) is None
