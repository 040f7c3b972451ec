import os
import queue
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from regcore.errors import TrainingStopped
from regcore.record import Record
from worker.protocol import (
    EXIT_LEASE_LOST,
    Accepted,
    Assignment,
    Judged,
    Leave,
    Measure,
    Renew,
    Run,
    Saved,
    Stop,
    Wrote,
    decode,
    encode,
)
from worker.run.pipes import Commands, Events

NEVER = time.monotonic() + 3600.0
RUN = Run(7, [], [], "/output.txt", "/checkpoints/7", 40, 1000, "/sets", "cpu", 1, NEVER)


@pytest.fixture
def commands(monkeypatch):
    """The runner's end, and a function that sends it something and waits until that was heard."""
    exits = queue.SimpleQueue()
    monkeypatch.setattr("worker.run.pipes.os._exit", exits.put)
    read, write = os.pipe()
    commands = Commands(read)

    def send(*messages):
        for message in messages:
            os.write(write, message if isinstance(message, bytes) else encode(message))

    def heard(*messages):
        """Whatever comes before a run has been obeyed once that is given out."""
        send(*messages, RUN)
        while commands.next_work() != RUN:
            pass

    commands.send, commands.heard, commands.exits = send, heard, exits
    yield commands
    os.close(write)
    assert exits.get(timeout=10) == 0, "it ends with its supervisor"


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_is_given_to_whoever_waits_for_one(commands):
    commands.heard()

    assert commands.should_stop() is False


def test_a_question_is_given_out_like_a_run(commands):
    fit = Measure({"name": "λ"}, 64, "/sets", "cpu", 1, NEVER)

    commands.send(fit)

    assert commands.next_work() == fit


def test_a_stop_asks_for_a_checkpoint_or_for_none(commands):
    commands.heard()

    commands.send(Stop(save=True))
    wait_for(lambda: commands.should_stop() is True)
    commands.send(Stop(save=False))

    with pytest.raises(TrainingStopped):
        wait_for(lambda: not commands.should_stop())


def test_the_accepted_step_is_the_runs_first_and_then_what_the_supervisor_says(commands):
    commands.heard(Accepted(99))
    first = commands.accepted_step()

    commands.send(Accepted(70))
    wait_for(lambda: commands.accepted_step() == 70)

    assert first == 40, "what was said of an earlier run is not this one's"


def test_jobs_that_are_to_leave_are_told_of_until_the_next_run(commands):
    commands.heard()

    commands.send(Leave("job_1", "/checkpoints/job_1/7"), Leave("job_2", None))
    wait_for(lambda: len(commands.leaving()) == 2)
    leaving = commands.leaving()
    commands.heard()

    assert leaving == {"job_1": Path("/checkpoints/job_1/7"), "job_2": None}
    assert commands.leaving() == {}


def test_a_judgement_is_waited_for(commands):
    commands.send(Judged(1, ["job_1"]), Judged(3, ["job_2", "job_3"]))

    assert commands.wait_for_judgement(3) == ["job_2", "job_3"]


def test_a_stop_that_came_too_late_for_one_run_is_not_the_next_ones(commands):
    commands.heard(Renew(NEVER), Stop(save=False))  # and then the next run

    assert commands.should_stop() is False


@pytest.mark.parametrize("late", [[replace(RUN, lease_until=-1.0)], [RUN, Renew(-1.0)]], ids=["run", "renewal"])
def test_a_message_that_is_read_late_makes_no_lease_longer(commands, monkeypatch, late):
    exits = queue.SimpleQueue()
    monkeypatch.setattr("worker.run.pipes.os._exit", exits.put)
    ago = time.monotonic() - 0.5

    commands.send(*(replace(one, lease_until=ago) if one.lease_until < 0 else one for one in late))

    assert exits.get(timeout=10) == EXIT_LEASE_LOST
    commands.run_ended()
    time.sleep(0.2)  # the watch has looked once more
    monkeypatch.setattr("worker.run.pipes.os._exit", commands.exits.put)


def test_a_runner_that_cannot_understand_its_supervisor_ends(commands):
    commands.send(b'{"type": "Dance"}\n')

    assert commands.exits.get(timeout=10) == 1
    commands.exits.put(0)  # nobody reads the pipe any more


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


@pytest.fixture
def make_recorder(events, tmp_path):
    runner, _ = events

    def make_recorder(job_id):
        return runner.recorder(Assignment(job_id, job_id, {}, str(tmp_path), str(tmp_path / f"{job_id}.txt")))

    return make_recorder


def test_progress_is_thinned_and_the_last_one_is_not_lost(events, make_recorder):
    runner, received = events
    write = make_recorder("job_1")

    for step in range(100):
        write(Record("progress", {"step": step}))
    first = [event.body["step"] for event in received()]
    runner.end_records("job_1")

    assert first == [0]
    assert [event.body["step"] for event in received()] == [99]


def test_progress_of_one_job_does_not_hold_back_anothers(events, make_recorder):
    runner, received = events
    recorders = {job_id: make_recorder(job_id) for job_id in ("job_1", "job_2")}

    for step in range(10):
        for write in recorders.values():
            write(Record("progress", {"step": step}))
    first = [(event.job_id, event.body["step"]) for event in received()]
    runner.end_records("job_2")

    assert first == [("job_1", 0), ("job_2", 0)]
    assert [(event.job_id, event.body["step"]) for event in received()] == [("job_2", 9)]


def test_each_job_has_what_is_said_of_it_in_its_own_log(make_recorder, tmp_path):
    make_recorder("job_1")(Record("warning", {"code": "slow", "message": "It is slow."}))
    metrics = {"epoch": 1, "step": 5, "values": {"train/loss": 0.25, "test/loss": None}, "non_finite": ["test/loss"]}
    make_recorder("job_2")(Record("metrics", metrics))

    assert (tmp_path / "job_1.txt").read_text().endswith(" WARNING It is slow.\n")
    assert (tmp_path / "job_2.txt").read_text().endswith(" INFO epoch 1 step 5: train/loss 0.25\n")


def test_each_line_of_a_log_begins_with_its_time_in_utc_and_may_hold_any_character(make_recorder, tmp_path):
    make_recorder("job_1")(Record("warning", {"code": "odd", "message": "λ \udce9"}))

    line = (tmp_path / "job_1.txt").read_text("utf-8")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING λ \\udce9\n", line)


def test_what_the_log_says_is_not_said_twice(events, make_recorder, tmp_path):
    _, received = events
    write = make_recorder("job_1")

    write(Record("log", {"message": "going on"}))
    write(Record("checkpoint", {"step": 7}, at=1.5))

    assert received() == [Saved(["job_1"], {"step": 7}, 1.5)]
    lines = (tmp_path / "job_1.txt").read_text().splitlines()
    assert [line.partition(" INFO ")[2] for line in lines] == ["going on", "saved a checkpoint at step 7"]


def test_a_checkpoint_of_all_is_one_message_and_one_of_a_job_alone_is_its_own(events, make_recorder):
    """A runner that dies while it tells of a checkpoint must not have told of it for some jobs only."""
    runner, received = events
    recorders = {job_id: make_recorder(job_id) for job_id in ("job_1", "job_2", "job_3")}
    apart = {"step": 5, "apart": True}

    recorders["job_3"](Record("checkpoint", apart, at=1.0))
    runner.end_records("job_3")
    told = []
    for step in (7, 9):
        for job_id in ("job_1", "job_2"):
            recorders[job_id](Record("checkpoint", {"step": step}, at=1.5))
            told.append(received())

    assert told[0] == [Wrote("job_3", "checkpoint", apart, 1.0)]
    assert told[1:] == [
        [Saved(["job_1", "job_2"], {"step": 7}, 1.5)],
        [],
        [Saved(["job_1", "job_2"], {"step": 9}, 1.5)],
    ]
