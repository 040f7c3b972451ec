import time
from dataclasses import replace

import pytest
from one_job import requeue
from supervising import in_background, wait_for_state

from jobs.errors import StoreUnavailableError
from jobs.model import Capabilities
from worker.protocol import Renew, Run
from worker.supervise.lease import LeaseLostError

CPU = Capabilities(frozenset({"cpu"}))


def test_each_renewal_of_the_lease_is_passed_on_to_the_runner(store, submit, supervise):
    job = submit("renewed")

    supervise()

    assert store.state("t", job.id) == "succeeded"


def test_a_runner_is_told_until_when_its_lease_lasts(submit, supervise, surroundings, start_scripted, monkeypatch):
    submit("renewed")
    runner = start_scripted()
    sent, send = [], runner.send
    monkeypatch.setattr(runner, "send", lambda command: (sent.append((command, time.monotonic())), send(command)))

    supervise(runner=runner)

    lease_s = surroundings.settings.lease_s
    left_s = [command.lease_until - at for command, at in sent if isinstance(command, Run | Renew)]
    assert len(left_s) >= 2
    assert all(lease_s / 2 < one <= lease_s for one in left_s)


def test_the_lease_is_kept_while_the_runner_warms_up_for_longer(store, submit, supervise, start_scripted):
    job = submit("succeed")

    supervise(runner=start_scripted(warm_up_s=3.0))
    store.expire_leases()

    ended = store.get("t", job.id)
    assert (ended.state, ended.attempt) == ("succeeded", 1)


def test_a_run_that_was_taken_away_writes_nothing_more(store, submit, supervise, start_scripted):
    job = submit("deaf")
    runner = start_scripted()
    raised = []

    def watch():
        with pytest.raises(LeaseLostError) as caught:
            supervise(runner=runner)
        raised.append(caught.value)

    thread = in_background(watch)
    wait_for_state(store, job, "running")
    requeue(store, run_id_of(store, job), job.id)
    second = store.claim("wrk_2", CPU)
    thread.join()

    assert raised
    assert runner.returncode == -9
    assert store.start_all(second.run_id)[job.id]  # the second run is untouched


def test_a_database_that_is_away_for_less_than_the_lease_loses_nothing(store, submit, supervise, surroundings):
    job = submit("succeed")
    flaky = AwayFor(store, 1.0)

    supervise(replace(surroundings, store=flaky))

    assert store.state("t", job.id) == "succeeded"
    assert [record.body["step"] for record in store.records("t", job.id, kinds=["metrics"])] == [1, 2]


def test_a_database_that_is_away_for_longer_ends_the_run(submit, supervise, surroundings, store, start_scripted):
    submit("deaf")
    runner = start_scripted()

    with pytest.raises(LeaseLostError):
        supervise(replace(surroundings, store=AwayFor(store, 60)), runner)

    assert runner.returncode == -9


class AwayFor:
    """A store whose database goes away as soon as a job was claimed, for some seconds."""

    def __init__(self, store, away_s):
        self._store = store
        self._away_s = away_s
        self._back_at = 0.0

    def claim(self, *args):
        self._back_at = time.monotonic() + self._away_s
        return self._store.claim(*args)

    def __getattr__(self, name):
        if time.monotonic() < self._back_at:
            raise StoreUnavailableError
        return getattr(self._store, name)


def run_id_of(store, job):
    """The newest run: ids increase, and these tests have one job."""
    with store._database.read() as connection:
        return connection.exec_driver_sql("SELECT max(id) FROM runs").scalar_one()
