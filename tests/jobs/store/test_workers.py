from collections.abc import Callable

from jobs.model import Capabilities, WorkerInfo
from jobs.store import Store

GPU = WorkerInfo(
    "wrk_1",
    "node-1",
    Capabilities(frozenset({"cpu", "cuda"}), "pool-1", frozenset({"zeta", "acme"})),
    slots=[{"device": "cuda:0", "job_ids": []}],
    versions={"torch": "2.14"},
)


def test_a_registered_worker_is_ready(store: Store) -> None:
    store.register_worker(GPU)

    (worker,) = store.workers()
    assert (worker.id, worker.node, worker.pool) == ("wrk_1", "node-1", "pool-1")
    assert (worker.state, worker.devices, worker.plugins) == ("ready", ["cpu", "cuda"], ["acme", "zeta"])
    assert (worker.slots, worker.versions) == (GPU.slots, GPU.versions)
    assert worker.heartbeat_at == worker.started_at


def test_registering_again_replaces(store: Store) -> None:
    store.register_worker(GPU)
    store.register_worker(GPU)

    assert len(store.workers()) == 1


def test_a_beat_tells_what_the_slots_do(store: Store, rewind: Callable[..., None]) -> None:
    store.register_worker(GPU)
    rewind("workers", "heartbeat_at")
    busy = [{"device": "cuda:0", "job_ids": ["job_1"]}]

    known = store.beat_worker("wrk_1", busy)

    (worker,) = store.workers()
    assert known
    assert (worker.slots, worker.state) == (busy, "ready")


def test_a_beat_of_an_unknown_worker_asks_it_to_register(store: Store) -> None:
    assert not store.beat_worker("wrk_unknown", [])


def test_a_silent_worker_is_lost_and_a_draining_one_says_so(store: Store, rewind: Callable[..., None]) -> None:
    store.register_worker(GPU)
    store.beat_worker("wrk_1", [], draining=True)
    draining = store.workers()[0].state
    rewind("workers", "heartbeat_at")

    assert draining == "draining"
    assert store.workers()[0].state == "lost"


def test_a_retired_worker_is_gone(store: Store) -> None:
    store.register_worker(GPU)

    store.retire_worker("wrk_1")

    assert store.workers() == []


def test_workers_lost_a_day_ago_are_forgotten(store: Store, rewind: Callable[..., None]) -> None:
    store.register_worker(GPU)
    rewind("workers", "heartbeat_at")

    store.register_worker(WorkerInfo("wrk_2", "node-2", Capabilities(frozenset({"cpu"}))))

    assert [worker.id for worker in store.workers()] == ["wrk_2"]
