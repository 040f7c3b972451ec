import time

import psutil
import pytest

from worker.supervise import spare as module
from worker.supervise.spare import WarmRunners


@pytest.fixture
def started():
    return []


@pytest.fixture
def runners(start_scripted, started, monkeypatch):
    monkeypatch.setattr(module, "_REFILL_DELAY_S", 0.05)

    def start():
        started.append(start_scripted())
        return started[-1]

    pool = WarmRunners(start)
    yield pool
    pool.close()


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_gets_the_spare_and_another_takes_its_place(runners, started):
    runners.fill()

    taken = runners.take(0, "t")

    assert taken is started[0]
    wait_for(lambda: len(started) == 2)


def test_without_a_spare_a_runner_is_started(runners, started):
    assert runners.take(0, "t") is started[0]


def test_a_spare_that_died_is_passed_over(runners, started):
    runners.fill()
    started[0].kill()

    assert runners.take(0, "t") is started[1]


def test_filling_replaces_a_dead_spare_and_leaves_a_live_one(runners, started):
    runners.fill()
    runners.fill()
    started[0].kill()
    runners.fill()

    assert len(started) == 2


def test_a_clean_runner_serves_the_same_tenant_in_the_same_slot_again(runners):
    first = runners.take(0, "t")
    runners.give_back(0, first, clean=True)

    assert runners.take(0, "t") is first


def test_a_runner_never_serves_two_tenants(runners):
    first = runners.take(0, "t")
    runners.give_back(0, first, clean=True)

    second = runners.take(0, "other")

    assert second is not first
    assert not psutil.pid_exists(first.pid)


def test_an_unclean_runner_is_ended_and_replaced(runners, started):
    first = runners.take(0, "t")
    wait_for(lambda: len(started) == 2)

    runners.give_back(0, first, clean=False)

    assert not psutil.pid_exists(first.pid)
    assert runners.take(0, "t") is started[1]


def test_a_runner_is_worn_out_after_fifty_runs(runners):
    runner = runners.take(0, "t")
    runner.num_runs = module.MAX_RUNS - 1

    runners.give_back(0, runner, clean=True)

    assert not psutil.pid_exists(runner.pid)


def test_a_runner_that_grew_too_large_is_ended(runners, monkeypatch):
    monkeypatch.setattr(module, "MAX_IDLE_BYTES", 1)
    runner = runners.take(0, "t")

    runners.give_back(0, runner, clean=True)

    assert not psutil.pid_exists(runner.pid)


def test_closing_ends_every_idle_runner_and_starts_no_other(runners, started):
    runners.fill()
    used = runners.take(0, "t")
    runners.give_back(0, used, clean=True)
    wait_for(lambda: len(started) == 2)

    runners.close()
    runners.fill()

    assert len(started) == 2
    assert not any(psutil.pid_exists(runner.pid) for runner in started)
