"""The real runner, with torch, over its pipes."""

import json
import os
import signal
import time

import pytest

from regcore.spec import parse_spec
from worker.protocol import (
    EXIT_LEASE_LOST,
    Assignment,
    Capacity,
    Finished,
    JobEnded,
    Leave,
    Measure,
    Run,
    Saved,
    Started,
    Stop,
    Wrote,
)
from worker.supervise.process import RunnerProcess

LONG = 100_000


@pytest.fixture(scope="module")
def template(make_template):
    """The real one, with torch."""
    return make_template()


@pytest.fixture(scope="module")
def warm(template):
    """One runner for the tests that leave it clean."""
    runner = RunnerProcess(template)
    assert runner.wait_ready(120)
    yield runner
    runner.close()


@pytest.fixture
def own(template):
    """A runner for a test that ends it."""
    runner = RunnerProcess(template)
    assert runner.wait_ready(120)
    yield runner
    runner.close()


def make_spec(epochs=2, seed=0, **changes):
    body = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "linear"},
        "training": {"epochs": epochs, "seed": seed},
        **changes,
    }
    return parse_spec(body).model_dump(mode="json")


def run(directory, epochs=2, lease_s=60.0, **changes):
    assignment = Assignment("job_1", "job_1", make_spec(epochs, **changes), str(directory), f"{directory}/log.txt")
    return run_of([assignment], directory, f"{directory}/log.txt", lease_s)


def run_of(assignments, directory, output, lease_s=60.0):
    ids = [assignment.job_id for assignment in assignments]
    here = str(directory)
    return Run(1, assignments, ids, output, f"{here}/checkpoints", 0, 10**9, here, "cpu", 1, time.monotonic() + lease_s)


def group(directory, *specs):
    """A run of several jobs, each with a folder of its own."""
    assignments = []
    for number, spec in enumerate(specs, 1):
        folder = directory / f"job_{number}"
        folder.mkdir(exist_ok=True)
        assignments.append(Assignment(folder.name, folder.name, spec, str(folder), f"{folder}/log.txt"))
    return run_of(assignments, directory, f"{directory}/output.txt")


def listen(runner, until, timeout_s=60):
    events = []
    deadline = time.monotonic() + timeout_s
    while not any(isinstance(event, until) for event in events) and not runner.drained():
        assert time.monotonic() < deadline
        events += runner.receive(0.1)
    return events


def test_a_run_is_told_from_start_to_end_and_leaves_its_files(warm, tmp_path):
    warm.send(run(tmp_path))

    events = listen(warm, Finished)

    started, *wrote, ended, finished = events
    assert started == Started(1)
    kinds = [event.kind for event in wrote]
    assert kinds.count("metrics") == 2
    assert kinds[0] == "progress"
    last_progress = [event for event in wrote if event.kind == "progress"][-1]
    assert last_progress.body["fraction"] == 1.0
    assert ended.outcome == "succeeded"
    assert ended.result["weights_sha256"]
    assert finished.clean
    assert finished.peak_memory_bytes > 50 << 20
    assert {"model.safetensors", "model.json", "report.json", "log.txt"} <= {path.name for path in tmp_path.iterdir()}
    log = (tmp_path / "log.txt").read_text()
    assert "1 threads" in log
    assert "train/loss" in log


def test_a_reused_runner_gives_the_same_weights(warm, tmp_path):
    hashes = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        warm.send(run(tmp_path / name))
        hashes.append(ended_of(listen(warm, Finished)).result["weights_sha256"])

    assert hashes[0] == hashes[1]


def ended_of(events, job_id="job_1"):
    (ended,) = [event for event in events if isinstance(event, JobEnded) and event.job_id == job_id]
    return ended


def steps_of(events, *kinds):
    return [event.body["step"] for event in events if isinstance(event, Wrote) and event.kind in kinds]


def saved_steps(events):
    return [event.body["step"] for event in events if isinstance(event, Saved)]


def test_a_stop_that_saves_ends_the_run_with_a_checkpoint_that_the_next_begins_with(warm, tmp_path):
    warm.send(run(tmp_path, epochs=LONG))
    listen(warm, Wrote)

    warm.send(Stop(save=True))
    events = listen(warm, Finished)
    warm.send(run(tmp_path, epochs=LONG))
    following = listen(warm, Wrote)
    warm.send(Stop(save=False))
    last = listen(warm, Finished)

    (saved,) = saved_steps(events)
    assert steps_of(events, "progress")[-1] == saved, "the last progress is where it stopped"
    assert (ended_of(events).outcome, events[-1].clean) == ("stopped", True)
    assert steps_of(following, "progress", "metrics")[0] > saved
    assert f"going on from the checkpoint of step {saved}" in (tmp_path / "log.txt").read_text()
    assert saved_steps(last) == []


def test_a_cancel_after_a_pause_saves_nothing_more(warm, tmp_path):
    warm.send(run(tmp_path, epochs=LONG))
    listen(warm, Wrote)

    for save in (True, False, False):
        warm.send(Stop(save=save))
    ended = ended_of(listen(warm, Finished))

    assert ended.outcome == "stopped"


def test_a_divergence_is_a_reason_without_a_traceback(warm, tmp_path):
    diabetes = {"kind": "builtin", "name": "diabetes"}
    warm.send(run(tmp_path, data=diabetes, optimizer={"kind": "sgd", "learning_rate": 1e6}, epochs=50))

    events = listen(warm, Finished)

    ended = ended_of(events)
    assert (ended.outcome, events[-1].clean) == ("failed", True)
    assert ended.reason["code"] == "diverged"
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
    json.dumps(ended.reason, allow_nan=False)


def test_a_fault_of_ours_is_internal_and_has_its_traceback_in_the_log(own, tmp_path):
    broken = run(tmp_path)
    (tmp_path / "model.safetensors").mkdir()  # so that saving fails
    own.send(broken)

    events = listen(own, Finished)

    ended = ended_of(events)
    assert (ended.outcome, events[-1].clean) == ("failed", False)
    assert ended.reason["code"] == "internal_error"
    assert "Traceback" in (tmp_path / "log.txt").read_text()


def test_jobs_of_one_pass_write_and_end_each_for_itself(warm, tmp_path):
    warm.send(group(tmp_path, make_spec(), make_spec(seed=1)))

    events = listen(warm, Finished)

    assert events[-1].clean
    for job_id in ("job_1", "job_2"):
        own = [event for event in events if isinstance(event, Wrote) and event.job_id == job_id]
        assert [event.kind for event in own].count("metrics") == 2
        assert ended_of(events, job_id).outcome == "succeeded"
        assert (tmp_path / job_id / "model.safetensors").is_file()
        assert "train/loss" in (tmp_path / job_id / "log.txt").read_text()
    assert "1 threads" in (tmp_path / "output.txt").read_text(), "what is of none of them alone"


def test_one_job_leaves_while_the_other_trains_on(warm, tmp_path):
    warm.send(group(tmp_path, make_spec(LONG), make_spec(LONG, seed=1)))
    listen(warm, Wrote)

    warm.send(Leave("job_1", str(tmp_path / "apart")))
    left = listen(warm, JobEnded)
    following = listen(warm, Wrote)
    warm.send(Stop(save=False))
    last = listen(warm, Finished)

    assert ended_of(left).outcome == "stopped"
    assert steps_of(left, "checkpoint")
    assert {event.job_id for event in following} == {"job_2"}
    assert ended_of(last, "job_2").outcome == "stopped"


def test_a_size_is_found_before_a_run(warm, tmp_path):
    warm.send(Measure(make_spec(), 8, str(tmp_path), "cpu", 1, time.monotonic() + 60.0))

    (capacity,) = listen(warm, Capacity)

    assert 1 <= capacity.num_members <= 8


def test_a_runner_ends_by_itself_when_its_lease_runs_out(own, tmp_path):
    own.send(run(tmp_path, epochs=LONG, lease_s=0.5))

    listen(own, Finished)

    assert own.returncode == EXIT_LEASE_LOST


def test_a_runner_ends_by_itself_when_its_supervisor_is_gone(own, tmp_path):
    own.send(run(tmp_path, epochs=LONG))
    listen(own, Started)

    os.close(own._commands)
    own._commands = os.open(os.devnull, os.O_WRONLY)
    listen(own, Finished)

    assert own.returncode == 0


def test_sigterm_gives_a_run_back_and_ends_the_runner(own, tmp_path):
    own.send(run(tmp_path, epochs=LONG))
    listen(own, Started)

    os.kill(own.pid, signal.SIGTERM)
    ended = ended_of(listen(own, Finished))
    deadline = time.monotonic() + 30
    while own.returncode is None and time.monotonic() < deadline:
        time.sleep(0.05)

    assert ended.outcome == "stopped"
    assert own.returncode == 0


def test_sigterm_ends_an_idle_runner(own):
    os.kill(own.pid, signal.SIGTERM)

    listen(own, Finished)

    assert own.returncode == 0


def test_a_runner_whose_supervisor_dies_while_it_warms_up_ends_too(template):
    cold = RunnerProcess(template)

    os.close(cold._commands)
    cold._commands = os.open(os.devnull, os.O_WRONLY)
    listen(cold, Finished)

    assert cold.returncode == 0
    assert cold.versions is None
    cold.close()
