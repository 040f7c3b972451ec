import os
import queue

import pytest

from regcore.errors import TrainingStopped
from regcore.record import Record
from worker.pipes import Commands, Events
from worker.protocol import Accepted, Renew, Run, Stop, Wrote, decode, encode

RUN = Run(7, "job_1", {}, "/runs/7", "/checkpoints/7", 40, 1000, "/sets", "cpu", 1, 600.0)


@pytest.fixture
def commands(monkeypatch):
    """The runner's end, and a function that sends it something and waits until that was heard."""
    exits = queue.SimpleQueue()
    monkeypatch.setattr("worker.pipes.os._exit", exits.put)
    read, write = os.pipe()
    commands = Commands(read)

    def send(*messages):
        for message in messages:
            os.write(write, encode(message))
        os.write(write, encode(RUN))
        while commands.next_run().job_id != RUN.job_id:
            pass

    yield commands, send
    os.close(write)
    assert exits.get(timeout=10) == 0, "it ends with its supervisor"


def test_a_run_is_given_to_whoever_waits_for_one(commands):
    runner, send = commands

    send()

    assert runner.should_stop() is False


def test_a_stop_asks_for_a_checkpoint_or_for_none(commands):
    runner, _ = commands

    runner._stop = Stop(save=True)
    saves = runner.should_stop()
    runner._stop = Stop(save=False)

    assert saves is True
    with pytest.raises(TrainingStopped):
        runner.should_stop()


def test_the_accepted_step_is_the_runs_first_and_then_what_the_supervisor_says(commands):
    runner, send = commands

    send()
    first = runner.accepted_step()
    runner._stop = None
    send(Accepted(70))

    assert first == 40
    assert runner.accepted_step() == 40, "the next run has its own"


def test_a_stop_that_came_too_late_for_one_run_is_not_the_next_ones(commands):
    runner, send = commands

    send(Renew(600.0), Stop(save=False))  # and then the next run

    assert runner.should_stop() is False


@pytest.fixture
def events():
    """The runner's end, and a function that reads what was sent."""
    read, write = os.pipe()
    events = Events(write)

    def received():
        os.set_blocking(read, False)
        try:
            return [decode(line) for line in os.read(read, 1 << 16).splitlines()]
        except BlockingIOError:
            return []

    yield events, received
    events._pipe.close()
    os.close(read)


def test_progress_is_thinned_and_the_last_one_is_not_lost(events):
    runner, received = events
    write = runner.recorder("job_1")

    for step in range(100):
        write(Record("progress", {"step": step}))
    first = [event.body["step"] for event in received()]
    runner.flush_progress()

    assert first == [0]
    assert [event.body["step"] for event in received()] == [99]


def test_what_the_log_says_is_not_said_twice(events, caplog):
    runner, received = events
    write = runner.recorder("job_1")

    with caplog.at_level("INFO", logger="regcore.runner"):
        write(Record("log", {"message": "going on"}))
        write(Record("checkpoint", {"step": 7}, at=1.5))

    assert received() == [Wrote("job_1", "checkpoint", {"step": 7}, 1.5)]
    assert [record.getMessage() for record in caplog.records] == ["going on", "saved a checkpoint at step 7"]
