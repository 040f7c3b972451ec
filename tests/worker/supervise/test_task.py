import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from celery import Celery

from jobs.errors import StoreUnavailableError
from jobs.queue import TASK_NAME
from worker.devices import Slot
from worker.supervise.spare import WarmRunners
from worker.supervise.task import Claimer, register_task


@pytest.fixture
def runners(start_scripted):
    pool = WarmRunners(start_scripted)
    yield pool
    pool.close()


@pytest.fixture
def claimer(surroundings, runners):
    return Claimer("wrk_1", surroundings, [Slot(0, "cpu")], runners)


def test_one_hint_runs_all_that_waits_best_first(store, submit, claimer):
    last = submit("succeed", priority="low")
    first = submit("succeed", priority="high")

    claimer.work()

    low, high = store.get("t", last.id), store.get("t", first.id)
    assert (low.state, high.state) == ("succeeded", "succeeded")
    assert high.finished_at <= low.started_at


def test_a_job_waits_for_a_worker_that_has_its_plugins(store, submit, surroundings, runners, claimer):
    job = submit("succeed", plugins=["acme"])

    claimer.work()
    without = store.state("t", job.id)
    Claimer("wrk_2", surroundings, [Slot(0, "cpu")], runners, ["acme", "zeta"]).work()

    assert (without, store.state("t", job.id)) == ("queued", "succeeded")


def test_a_crash_costs_one_job_and_the_next_is_run(store, submit, claimer, monkeypatch):
    monkeypatch.setattr("jobs.store.endings._retry_delay_s", lambda num_lost: 0.0 if num_lost < 2 else 60.0)
    crashed, after = submit("crash"), submit("succeed")

    claimer.work()

    lost = store.get("t", crashed.id)
    assert (lost.state, lost.attempt) == ("queued", 2)  # the third attempt waits
    assert store.state("t", after.id) == "succeeded"


def test_one_hint_runs_compatible_jobs_in_one_pass_and_shows_all_of_them_in_the_slot(store, submit, claimer):
    jobs = [submit("wait", fusion_key="same") for _ in range(3)]
    thread = threading.Thread(target=claimer.work)
    thread.start()
    for job in jobs:
        while store.state("t", job.id) != "running":
            time.sleep(0.02)

    (slot,) = claimer.occupancy()
    for job in jobs:
        store.request_cancel("t", job.id)
    thread.join()

    assert slot["job_ids"] == [job.id for job in jobs]
    assert claimer.occupancy() == [{"device": "cpu", "job_ids": []}]


def test_a_fault_of_the_supervisors_gives_every_job_of_a_group_back(store, submit, surroundings, runners):
    class FullDisk:
        def put(self, path):
            raise OSError(28, "No space left on device")

    jobs = [submit("succeed", fusion_key="same") for _ in range(2)]

    Claimer("wrk_1", replace(surroundings, artifacts=FullDisk()), [Slot(0, "cpu")], runners).work()

    lost = [store.get("t", job.id) for job in jobs]
    assert [job.state for job in lost] == ["queued", "queued"]
    assert "No space left" in lost[0].state_reason["message"]


def test_hints_twenty_times_at_once_run_a_job_once(store, submit, claimer):
    job = submit("succeed")
    threads = [threading.Thread(target=claimer.work) for _ in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ended = store.get("t", job.id)
    assert (ended.state, ended.attempt) == ("succeeded", 1)


def test_a_claimer_is_idle_until_a_job_takes_its_slot(store, submit, claimer):
    job = submit("wait")
    before = claimer.is_idle
    thread = threading.Thread(target=claimer.work)
    thread.start()
    while store.state("t", job.id) != "running":
        time.sleep(0.02)

    during = claimer.is_idle
    store.request_cancel("t", job.id)
    thread.join()

    assert (before, during, claimer.is_idle) == (True, False, True)


def test_a_job_that_comes_just_after_a_run_is_taken_without_a_hint_of_its_own(store, submit, claimer):
    first = submit("succeed")
    thread = threading.Thread(target=claimer.work)
    thread.start()
    while store.state("t", first.id) != "succeeded" or claimer.occupancy()[0]["job_ids"]:
        time.sleep(0.01)

    after = submit("succeed")
    thread.join()

    assert store.state("t", after.id) == "succeeded"


def test_a_hint_with_nothing_to_do_returns_without_a_sound(claimer, caplog):
    claimer.work()

    assert caplog.records == []


def test_a_worker_that_is_draining_claims_nothing(store, submit, claimer, surroundings):
    job = submit("succeed")
    surroundings.draining.set()

    claimer.work()

    assert store.state("t", job.id) == "queued"


def test_a_job_for_a_device_that_is_not_here_is_left(store, submit, claimer):
    job = submit("succeed", device="cuda")

    claimer.work()

    assert store.state("t", job.id) == "queued"
    assert claimer.capabilities.devices == {"cpu"}


def test_a_worker_with_a_gpu_takes_both_kinds(surroundings, runners):
    claimer = Claimer("wrk_1", surroundings, [Slot(0, "cuda:0"), Slot(1, "cuda:1")], runners)

    assert claimer.capabilities.devices == {"cpu", "cuda"}
    assert claimer.occupancy() == [{"device": "cuda:0", "job_ids": []}, {"device": "cuda:1", "job_ids": []}]


def test_a_runner_that_cannot_start_gives_the_job_back_and_the_worker_goes_on(
    store, submit, surroundings, start_scripted
):
    def start():
        runner = start_scripted()
        runner.kill()
        return runner

    job = submit("succeed")

    with closing(WarmRunners(start)) as runners:
        Claimer("wrk_1", surroundings, [Slot(0, "cpu")], runners).work()

    lost = store.get("t", job.id)
    assert (lost.state, lost.state_reason["code"]) == ("queued", "worker_lost")
    assert "SIGKILL" in lost.state_reason["message"]


def test_a_system_that_starts_no_process_gives_the_job_back(store, submit, surroundings):
    def start():
        raise OSError(11, "Resource temporarily unavailable")

    job = submit("succeed")

    with closing(WarmRunners(start)) as runners:
        Claimer("wrk_1", surroundings, [Slot(0, "cpu")], runners).work()

    lost = store.get("t", job.id)
    assert (lost.state, lost.state_reason["code"]) == ("queued", "internal_error")
    assert "Resource temporarily unavailable" in lost.state_reason["message"]


def test_a_disk_without_room_for_a_jobs_files_gives_it_back_and_the_worker_goes_on(
    store, submit, surroundings, runners
):
    class FullDisk:
        def put(self, path):
            raise OSError(28, "No space left on device")

    job = submit("succeed")

    Claimer("wrk_1", replace(surroundings, artifacts=FullDisk()), [Slot(0, "cpu")], runners).work()

    lost = store.get("t", job.id)
    assert (lost.state, lost.state_reason["code"]) == ("queued", "disk_full")
    assert "disk of the worker is full" in lost.state_reason["message"]
    assert "Free space" in lost.state_reason["remedy"]


def test_a_database_that_is_away_costs_the_hint_and_not_the_thread(surroundings, runners):
    class Away:
        def claim(self, *args):
            raise StoreUnavailableError

    claimer = Claimer("wrk_1", replace(surroundings, store=Away()), [Slot(0, "cpu")], runners)

    claimer.work()
    claimer.work()  # the slot is free again


def test_the_queues_one_task_works(store, submit, claimer):
    job = submit("succeed")
    celery = Celery("test")
    register_task(celery, claimer)

    celery.tasks[TASK_NAME].run(job.id)

    assert store.state("t", job.id) == "succeeded"
