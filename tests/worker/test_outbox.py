import time

import pytest

from jobs.errors import StaleRunError, StoreUnavailableError
from jobs.model import Capabilities
from worker.outbox import Outbox, insist
from worker.protocol import Wrote


class FlakyStore:
    """Fails the first appends as a database does that is away, then passes them on."""

    def __init__(self, store, num_failures):
        self._store = store
        self._num_failures = num_failures

    def append(self, *args):
        if self._num_failures:
            self._num_failures -= 1
            raise StoreUnavailableError
        return self._store.append(*args)


@pytest.fixture
def run(store, submit):
    submit("succeed")
    run = store.claim("wrk_1", Capabilities(frozenset({"cpu"})))
    store.start(run.run_id, run.jobs[0].id)
    return run


def metrics(job_id, step):
    body = {"epoch": 1, "step": step, "values": {"train/loss": 1.0 / step}, "non_finite": []}
    return Wrote(job_id, "metrics", body, time.time())


def bodies(store, job_id, kind):
    return [record.body for record in store.records("t", job_id, 0, 100, kinds=[kind])]


def test_records_wait_for_a_database_that_is_away(store, run):
    job_id = run.jobs[0].id
    outbox = Outbox(FlakyStore(store, 1), run.run_id, job_id)
    outbox.add(metrics(job_id, 1))

    assert not outbox.flush()
    assert not outbox.empty
    time.sleep(0.6)
    outbox.add_log(["a line"])
    assert outbox.flush()

    assert outbox.empty
    assert [body["step"] for body in bodies(store, job_id, "metrics")] == [1]
    assert bodies(store, job_id, "log") == [{"message": "a line"}]


def test_a_replayed_step_keeps_its_first_record(store, run):
    job_id = run.jobs[0].id
    outbox = Outbox(store, run.run_id, job_id)

    for _ in range(2):
        outbox.add(metrics(job_id, 1))
        outbox.add(metrics(job_id, 2))
        outbox.flush()

    assert [body["step"] for body in bodies(store, job_id, "metrics")] == [1, 2]


class DeafStore:
    """Commits and loses the answer once, as a connection does that drops at the wrong moment."""

    def __init__(self, store):
        self._store = store
        self._lost = False

    def append(self, *args):
        self._store.append(*args)
        if not self._lost:
            self._lost = True
            raise StoreUnavailableError


def test_a_commit_that_was_not_heard_of_writes_nothing_twice(store, run):
    job_id = run.jobs[0].id
    outbox = Outbox(DeafStore(store), run.run_id, job_id)
    outbox.add(metrics(job_id, 1))
    outbox.add(Wrote(job_id, "checkpoint", {"step": 1, "name": "step-1"}, 1.0))
    outbox.add_log(["the same line", "the same line"])

    outbox.flush()
    time.sleep(0.6)
    outbox.add_log(["another"])
    outbox.flush()

    assert outbox.empty
    assert outbox.saved_step == 1
    assert [body["message"] for body in bodies(store, job_id, "log")] == ["the same line", "the same line", "another"]
    assert len(bodies(store, job_id, "checkpoint")) == len(bodies(store, job_id, "metrics")) == 1


def test_a_run_that_is_no_longer_current_writes_nothing(store, run):
    job_id = run.jobs[0].id
    store.requeue(run.run_id, job_id)
    outbox = Outbox(store, run.run_id, job_id)
    outbox.add(metrics(job_id, 1))

    with pytest.raises(StaleRunError):
        outbox.flush()

    assert bodies(store, job_id, "metrics") == []


def test_insisting_outlasts_a_short_absence():
    answers = iter([StoreUnavailableError(), "written"])

    def write():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert insist(write, time.monotonic() + 10) == "written"


def test_insisting_ends_with_the_lease():
    def write():
        raise StoreUnavailableError

    with pytest.raises(StoreUnavailableError):
        insist(write, time.monotonic() - 1)
