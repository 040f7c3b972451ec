import time

import pytest
from one_job import requeue

from jobs.errors import StaleRunError, StoreUnavailableError
from jobs.model import Capabilities
from worker.protocol import Saved, Wrote
from worker.supervise.outbox import Outbox


class FlakyStore:
    """Fails the first appends as a database does that is away, then passes them on."""

    def __init__(self, store, num_failures):
        self._store = store
        self._num_failures = num_failures

    def append_all(self, *args):
        if self._num_failures:
            self._num_failures -= 1
            raise StoreUnavailableError
        return self._store.append_all(*args)


@pytest.fixture
def run(store, submit):
    submit("succeed")
    run = store.claim("wrk_1", Capabilities(frozenset({"cpu"})))
    store.start_all(run.run_id)
    return run


def metrics(job_id, step):
    body = {"epoch": 1, "step": step, "values": {"train/loss": 1.0 / step}, "non_finite": []}
    return Wrote(job_id, "metrics", body, time.time())


def bodies(store, job_id, kind):
    return [record.body for record in store.records("t", job_id, 0, 100, kinds=[kind])]


def test_records_wait_for_a_database_that_is_away(store, run):
    job_id = run.jobs[0].id
    outbox = Outbox(FlakyStore(store, 1), run.run_id)
    outbox.add(metrics(job_id, 1))

    assert not outbox.flush()
    assert not outbox.empty
    time.sleep(0.6)
    outbox.add_log(job_id, ["a line"])
    assert outbox.flush() == [job_id]

    assert outbox.empty
    assert [body["step"] for body in bodies(store, job_id, "metrics")] == [1]
    assert bodies(store, job_id, "log") == [{"message": "a line"}]


def test_a_replayed_step_keeps_its_first_record(store, run):
    job_id = run.jobs[0].id
    outbox = Outbox(store, run.run_id)

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

    def append_all(self, *args):
        self._store.append_all(*args)
        if not self._lost:
            self._lost = True
            raise StoreUnavailableError


def test_a_commit_that_was_not_heard_of_writes_nothing_twice(store, run):
    job_id = run.jobs[0].id
    outbox = Outbox(DeafStore(store), run.run_id)
    outbox.add(metrics(job_id, 1))
    outbox.add_saved(Saved([job_id], {"step": 1, "name": "step-1"}, 1.0), [job_id])
    outbox.add_log(job_id, ["the same line", "the same line"])

    outbox.flush()
    time.sleep(0.6)
    outbox.add_log(job_id, ["another"])
    outbox.flush()

    assert outbox.empty
    assert [body["message"] for body in bodies(store, job_id, "log")] == ["the same line", "the same line", "another"]
    assert len(bodies(store, job_id, "checkpoint")) == len(bodies(store, job_id, "metrics")) == 1


def test_a_run_that_is_no_longer_current_writes_nothing(store, run):
    job_id = run.jobs[0].id
    requeue(store, run.run_id, job_id)
    outbox = Outbox(store, run.run_id)
    outbox.add(metrics(job_id, 1))

    with pytest.raises(StaleRunError):
        outbox.flush()

    assert bodies(store, job_id, "metrics") == []


@pytest.fixture
def group(store, submit):
    ids = [submit("succeed", fusion_key="same").id for _ in range(3)]
    cpu = Capabilities(frozenset({"cpu"}))
    run = store.claim("wrk_1", cpu)
    store.join(run.run_id, ids[0], cpu, 2, 10**9)
    store.start_all(run.run_id)
    return run.run_id, ids


def test_each_job_of_a_run_gets_its_own_records(store, group):
    run_id, (first, second, third) = group
    outbox = Outbox(store, run_id)
    outbox.add(metrics(first, 1))
    outbox.add_log(second, ["a line"])
    outbox.add_warning(second, "slow", "It is slow.")

    written = outbox.flush()

    assert sorted(written) == sorted([first, second])
    assert outbox.empty
    assert [body["step"] for body in bodies(store, first, "metrics")] == [1]
    assert bodies(store, second, "log") == [{"message": "a line"}]
    assert [body["code"] for body in bodies(store, second, "warning")] == ["slow"]
    assert store.log_head("t", third).last_seq == 3, "its three states, and nothing else"


def test_a_checkpoint_of_the_run_counts_for_those_that_go_on_and_is_told_of_once(store, group):
    run_id, (first, second, third) = group
    outbox = Outbox(FlakyStore(store, 1), run_id)
    saved = Saved([first, second, third], {"step": 7, "name": "step-7"}, 1.0)
    outbox.add_saved(saved, [first, second])
    told = []

    for _ in range(2):
        outbox.flush()
        told.append(outbox.accepted)
        time.sleep(0.6)
    outbox.add_log(first, ["a line"])
    outbox.flush()
    told.append(outbox.accepted)

    assert told == [None, saved, None], "it counts once it is stored"
    steps = [(store.get("t", job_id).checkpoint or {}).get("step") for job_id in (first, second, third)]
    assert steps == [7, 7, None]


@pytest.mark.parametrize("apart", [True, False])
def test_a_checkpoint_that_is_not_of_the_whole_run_is_not_told_of(store, group, apart):
    run_id, (first, *_) = group
    outbox = Outbox(store, run_id)
    body = {"step": 7, "name": "step-7", "apart": True}
    if apart:
        outbox.add(Wrote(first, "checkpoint", body, 1.0))
    else:
        outbox.add_saved(Saved([first], body, 1.0), [])
        outbox.add_log(first, ["a line"])

    outbox.flush()

    assert outbox.accepted is None


def test_one_job_that_is_no_longer_the_runs_keeps_all_from_being_written(store, group):
    run_id, (first, second, _) = group
    outbox = Outbox(store, run_id)
    outbox.add(metrics(first, 1))
    outbox.add(metrics(second, 1))
    requeue(store, run_id, first)

    with pytest.raises(StaleRunError):
        outbox.flush()

    assert bodies(store, second, "metrics") == []
