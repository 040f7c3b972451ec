"""The real runner, with torch, over its pipes."""

import json
import os
import signal
import time

import pytest

from regcore.spec import parse_spec
from worker.environment import runner_environment
from worker.pipes import EXIT_LEASE_LOST
from worker.process import RunnerProcess
from worker.protocol import Ended, Run, Started, Stop, Wrote

LONG = 100_000


@pytest.fixture(scope="module")
def warm():
    """One runner for the tests that leave it clean."""
    runner = RunnerProcess(runner_environment(os.environ, 1))
    assert runner.wait_ready(120)
    yield runner
    runner.close()


@pytest.fixture
def own():
    """A runner for a test that ends it."""
    runner = RunnerProcess(runner_environment(os.environ, 1))
    assert runner.wait_ready(120)
    yield runner
    runner.close()


def run(directory, epochs=2, lease_s=60.0, **changes):
    body = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "linear"},
        "training": {"epochs": epochs},
        **changes,
    }
    spec = parse_spec(body).model_dump(mode="json")
    checkpoints = str(directory / "checkpoints")
    return Run(1, "job_1", spec, str(directory), checkpoints, 0, 10**9, str(directory), "cpu", 1, lease_s)


def listen(runner, until, timeout_s=60):
    events = []
    deadline = time.monotonic() + timeout_s
    while not any(isinstance(event, until) for event in events) and not runner.drained():
        assert time.monotonic() < deadline
        events += runner.receive(0.1)
    return events


def test_a_run_is_told_from_start_to_end_and_leaves_its_files(warm, tmp_path):
    warm.send(run(tmp_path))

    events = listen(warm, Ended)

    assert isinstance(events[0], Started)
    kinds = [event.kind for event in events[1:-1]]
    assert kinds.count("metrics") == 2
    assert kinds[0] == "progress"
    last_progress = [event for event in events[1:-1] if event.kind == "progress"][-1]
    assert last_progress.body["fraction"] == 1.0
    assert events[-1].outcome == "succeeded"
    assert events[-1].peak_memory_bytes > 50 << 20
    assert events[-1].result["weights_sha256"]
    assert {"model.safetensors", "model.json", "report.json", "log.txt"} <= {path.name for path in tmp_path.iterdir()}
    log = (tmp_path / "log.txt").read_text()
    assert "1 threads" in log
    assert "train/loss" in log


def test_a_reused_runner_gives_the_same_weights(warm, tmp_path):
    hashes = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        warm.send(run(tmp_path / name))
        hashes.append(listen(warm, Ended)[-1].result["weights_sha256"])

    assert hashes[0] == hashes[1]


def steps_of(events, *kinds):
    return [event.body["step"] for event in events if isinstance(event, Wrote) and event.kind in kinds]


def test_a_stop_that_saves_ends_the_run_with_a_checkpoint_that_the_next_begins_with(warm, tmp_path):
    warm.send(run(tmp_path, epochs=LONG))
    listen(warm, Wrote)

    warm.send(Stop(save=True))
    events = listen(warm, Ended)
    warm.send(run(tmp_path, epochs=LONG))
    following = listen(warm, Wrote)
    warm.send(Stop(save=False))
    last = listen(warm, Ended)

    (saved,) = steps_of(events, "checkpoint")
    assert steps_of(events, "progress")[-1] == saved, "the last progress is where it stopped"
    assert (events[-1].outcome, events[-1].clean) == ("stopped", True)
    assert steps_of(following, "progress", "metrics")[0] > saved
    assert f"going on from the checkpoint of step {saved}" in (tmp_path / "log.txt").read_text()
    assert steps_of(last, "checkpoint") == []


def test_a_cancel_after_a_pause_saves_nothing_more(warm, tmp_path):
    warm.send(run(tmp_path, epochs=LONG))
    listen(warm, Wrote)

    for save in (True, False, False):
        warm.send(Stop(save=save))
    ended = listen(warm, Ended)[-1]

    assert ended.outcome == "stopped"


def test_a_divergence_is_a_reason_without_a_traceback(warm, tmp_path):
    diabetes = {"kind": "builtin", "name": "diabetes"}
    warm.send(run(tmp_path, data=diabetes, optimizer={"kind": "sgd", "learning_rate": 1e6}, epochs=50))

    ended = listen(warm, Ended)[-1]

    assert (ended.outcome, ended.clean) == ("failed", True)
    assert ended.reason["code"] == "diverged"
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
    json.dumps(ended.reason, allow_nan=False)


def test_a_fault_of_ours_is_internal_and_has_its_traceback_in_the_log(own, tmp_path):
    broken = run(tmp_path)
    (tmp_path / "model.safetensors").mkdir()  # so that saving fails
    own.send(broken)

    ended = listen(own, Ended)[-1]

    assert (ended.outcome, ended.clean) == ("failed", False)
    assert ended.reason["code"] == "internal_error"
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_a_runner_ends_by_itself_when_its_lease_runs_out(own, tmp_path):
    own.send(run(tmp_path, epochs=LONG, lease_s=0.5))

    listen(own, Ended)

    assert own.returncode == EXIT_LEASE_LOST


def test_a_runner_ends_by_itself_when_its_supervisor_is_gone(own, tmp_path):
    own.send(run(tmp_path, epochs=LONG))
    listen(own, Started)

    os.close(own._commands)
    own._commands = os.open(os.devnull, os.O_WRONLY)
    listen(own, Ended)

    assert own.returncode == 0


def test_sigterm_gives_a_run_back_and_ends_the_runner(own, tmp_path):
    own.send(run(tmp_path, epochs=LONG))
    listen(own, Started)

    os.kill(own.pid, signal.SIGTERM)
    ended = listen(own, Ended)[-1]
    deadline = time.monotonic() + 30
    while own.returncode is None and time.monotonic() < deadline:
        time.sleep(0.05)

    assert ended.outcome == "stopped"
    assert own.returncode == 0


def test_sigterm_ends_an_idle_runner(own):
    os.kill(own.pid, signal.SIGTERM)

    listen(own, Ended)

    assert own.returncode == 0


def test_a_runner_whose_supervisor_dies_while_it_warms_up_ends_too():
    cold = RunnerProcess(runner_environment(os.environ, 1))

    os.close(cold._commands)
    cold._commands = os.open(os.devnull, os.O_WRONLY)
    listen(cold, Ended)

    assert cold.returncode == 0
    assert cold.versions is None
    cold.close()
