import os
import time

import psutil
import pytest

from worker.protocol import Assignment, Finished, JobEnded, Run, Started, Stop


@pytest.fixture
def runner(start_scripted):
    runner = start_scripted()
    assert runner.wait_ready(30)
    return runner


def run(script, directory):
    here = str(directory)
    assignment = Assignment("job_1", "job_1", {"name": script}, here, f"{here}/log.txt")
    return Run(1, [assignment], ["job_1"], f"{here}/log.txt", here, 0, 10**9, here, "cpu", 1, time.monotonic() + 30.0)


def until_finished(runner):
    events = []
    deadline = time.monotonic() + 30
    while not (events and isinstance(events[-1], Finished)) and not runner.drained():
        assert time.monotonic() < deadline
        events += runner.receive(0.1)
    return events


def test_what_the_runner_says_arrives_in_order(runner, tmp_path):
    runner.send(run("succeed", tmp_path))

    events = until_finished(runner)

    assert isinstance(events[0], Started)
    assert [event.kind for event in events[1:-2]] == ["progress", "metrics", "progress", "metrics"]
    assert (type(events[-2]), events[-2].outcome) == (JobEnded, "succeeded")
    assert events[-1] == Finished(clean=True, peak_memory_bytes=7)
    assert runner.versions == {"python": "3", "torch": "none"}


def test_a_stop_is_heard_while_it_runs(runner, tmp_path):
    runner.send(run("wait", tmp_path))
    runner.send(Stop(save=False))

    assert until_finished(runner)[-2].outcome == "stopped"


def test_a_death_is_seen_once_everything_was_read(runner, tmp_path):
    runner.send(run("crash", tmp_path))

    events = until_finished(runner)

    assert [type(event) for event in events] == [Started]
    assert runner.drained()
    assert runner.returncode == -9
    assert runner.resident_bytes() == 0
    runner.send(Stop(save=False))  # to a runner that is gone: no error


def test_it_lives_in_a_session_of_its_own(runner):
    assert os.getsid(runner.pid) == runner.pid
    assert runner.resident_bytes() > 1 << 20


def test_closing_ends_the_process(runner):
    runner.close()

    assert not psutil.pid_exists(runner.pid)


def test_a_runner_that_dies_while_it_warms_up_is_not_ready(start_scripted):
    runner = start_scripted(warm_up_s=600)
    runner.kill()

    assert not runner.wait_ready(5)
