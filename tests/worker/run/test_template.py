"""What runners are forked from: the real template with torch, and small ones that show one thing."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from supervising import in_background, wait_for

from worker.environment import runner_environment
from worker.protocol import Finished, Renew, Run, Started
from worker.supervise.process import EXIT_UNBORN, RunnerProcess

BECOME_RUNNER = "import os, socket, subprocess, sys, time; from worker.run.template import become_runner; "
BECOME_RUNNER += "commands, events = become_runner(socket.socket(fileno=int(sys.argv[1]))); "
LARGE = Run(7, [], ["x" * 100_000], "/dev/null", "/", 0, 1000, "/", "cpu", 1, 600.0)
"""More than a pipe holds, as the run of a large group is."""
WHOLE_RUN = [Started(7), Finished(clean=True, peak_memory_bytes=7)]


@pytest.fixture
def idle(make_template):
    """A template whose runners do nothing, without torch."""
    return make_template(sys.executable, "-c", BECOME_RUNNER + "time.sleep(600)")


@pytest.fixture
def start():
    """Start a template's runners, each born; all are dead after the test."""
    started = []

    def start_runner(template):
        runner = RunnerProcess(template)
        started.append(runner)
        wait_for(lambda: runner.returncode is not None or runner.pid is not None)
        return runner

    yield start_runner
    for runner in started:
        runner.close()


def parent_of(runner):
    return psutil.Process(runner.pid).parent()


def listen(runner):
    """What it says of a run."""
    heard = []
    wait_for(lambda: heard.extend(runner.receive(0.1)) or runner.drained() or Finished in map(type, heard))
    return heard


def is_born(runner):
    return runner.returncode is None and runner.pid is not None


def zombies():
    return [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]


def test_a_warm_up_finds_what_is_large_imported_and_no_thread_that_a_fork_would_lose(tmp_path):
    code = """
import importlib, json, os, sys
from worker.run.template import _IMPORTS, warm_kernels
for name in _IMPORTS:
    importlib.import_module(name)
warm_kernels()
num_threads = len(os.listdir("/proc/self/task"))
import torch
from worker.run.training import warm_up
known = set(sys.modules)
warm_up()
print(json.dumps([num_threads, torch.cuda.is_initialized(), len(set(sys.modules) - known)]))
"""

    environment = runner_environment(os.environ, 4, tmp_path)
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    num_threads, has_context, num_imported = json.loads(ran.stdout)
    assert (num_threads, has_context) == (1, False)
    assert num_imported < 20  # of the 1,261 that a warm-up imports by itself


def test_a_runner_is_a_child_of_the_supervisors_process_in_a_session_of_its_own(idle, start):
    runner = start(idle)

    assert parent_of(runner).pid == os.getpid()
    assert os.getsid(runner.pid) == runner.pid


def test_a_runner_sees_the_templates_environment_and_nothing_else(make_template, start, temporary, monkeypatch):
    monkeypatch.setenv("REGCORE_SECRET_OF_OURS", "secret")
    shown = runner_environment(os.environ, 1, temporary)

    runner = start(make_template(sys.executable, "-c", BECOME_RUNNER + "time.sleep(599)"))

    assert psutil.Process(runner.pid).environ() == shown


def test_a_runner_holds_its_own_two_pipes_and_nobody_elses(idle, start):
    start(idle)
    second = start(idle)

    held = [os.readlink(f"/proc/{second.pid}/fd/{number}") for number in os.listdir(f"/proc/{second.pid}/fd")]

    ours = {os.readlink(f"/proc/self/fd/{number}") for number in (second._commands, second._events)}
    inherited = {os.readlink(f"/proc/self/fd/{number}") for number in (1, 2)}
    assert {name for name in held if name.startswith(("pipe:", "socket:"))} - inherited == ours


def test_a_runner_outlives_its_template_and_the_next_has_another(idle, start):
    first = start(idle)
    template = idle._process.pid

    os.kill(template, signal.SIGKILL)
    idle._process.wait()
    second = start(idle)

    assert first.returncode is None
    assert second.returncode is None
    assert idle._process.pid != template


def test_how_a_runner_ends_is_known(make_template, start):
    runner = start(make_template(sys.executable, "-c", BECOME_RUNNER + "sys.exit(7)"))

    wait_for(lambda: runner.returncode is not None)

    assert runner.returncode == 7


def test_what_a_killed_runner_had_started_is_killed_and_collected_too(make_template, start):
    code = BECOME_RUNNER + "child = subprocess.Popen(['sleep', '600']); time.sleep(600)"
    runner = start(make_template(sys.executable, "-c", code))
    wait_for(lambda: psutil.Process(runner.pid).children())
    (child,) = psutil.Process(runner.pid).children()

    runner.kill()

    assert runner.returncode == -signal.SIGKILL
    assert not psutil.pid_exists(child.pid)


def test_killing_one_unborn_runner_leaves_the_others_alone(gated):
    template, let = gated
    first, second = RunnerProcess(template), RunnerProcess(template)
    second.send(LARGE)

    first.close()
    let()
    wait_for(lambda: is_born(second))

    assert (first.pid, first.returncode) == (None, EXIT_UNBORN)
    assert listen(second) == WHOLE_RUN
    second.close()


def test_what_was_given_up_before_its_birth_ends_as_soon_as_it_is_born_and_is_collected(gated):
    template, let = gated
    before = psutil.Process().children()
    first, second = RunnerProcess(template), RunnerProcess(template)

    first.close()
    let()
    wait_for(lambda: is_born(second) and zombies())
    second.close()

    assert zombies() == []
    assert {*psutil.Process().children()} - {*before} == {psutil.Process(template._process.pid)}


def test_runners_that_wait_for_a_template_that_is_killed_come_from_another_and_lose_nothing(gated):
    template, let = gated
    runners = [RunnerProcess(template) for _ in range(2)]
    for runner in runners:
        runner.send(LARGE)

    os.kill(template._process.pid, signal.SIGKILL)
    template._process.wait()
    let()
    heard = [listen(runner) for runner in runners]

    assert heard == [WHOLE_RUN] * 2
    assert [runner.returncode for runner in runners] == [None, None]
    assert len({parent_of(runner).pid for runner in runners}) == 1
    for runner in runners:
        runner.close()


def test_a_command_that_no_pipe_can_hold_waits_for_the_runner_and_its_sender_for_nobody(gated):
    template, let = gated
    runner = RunnerProcess(template)

    sending = in_background(runner.send, LARGE)
    sending.join(10)
    is_blocked = sending.is_alive()
    let()
    heard = listen(runner)

    assert not is_blocked
    assert heard == WHOLE_RUN
    runner.close()


def test_a_runner_that_reads_nothing_blocks_nobody(idle, start):
    runner = start(idle)

    sending = in_background(lambda: [runner.send(LARGE) for _ in range(3)])
    sending.join(10)
    is_blocked = sending.is_alive()
    runner.kill()

    assert not is_blocked
    wait_for(lambda: runner.receive(0.1) or runner.drained())


def test_a_lease_that_was_renewed_before_the_birth_is_the_one_that_the_runner_hears_of(make_template, start):
    recite = "read, write = os.fdopen(commands, 'rb'), os.fdopen(events, 'wb', buffering=0); line = read.readline(); "
    recite += "from worker.protocol import *; write.write(encode(Ready({'until': decode(line).lease_until})))"
    template = make_template(sys.executable, "-c", f"time = __import__('time'); time.sleep(1); {BECOME_RUNNER}{recite}")
    runner = RunnerProcess(template)

    runner.send(replace(LARGE, lease_until=1.5))
    runner.send(Renew(2.5))
    runner.wait_ready(30)

    assert runner.versions == {"until": 2.5}
    runner.close()


def test_a_template_ends_with_its_supervisor_though_it_is_importing_torch(make_template):
    template = make_template()
    runner = RunnerProcess(template)
    wait_for(lambda: len(os.listdir(f"/proc/{template._process.pid}/task")) > 1)

    template._requests.close()

    assert template._process.wait(30) == 0
    runner.close()
    assert (runner.pid, runner.returncode) == (None, EXIT_UNBORN)


def test_an_idle_template_ends_with_its_supervisor(idle, start):
    start(idle)

    idle._requests.close()

    assert idle._process.wait(30) == 0


def test_a_template_that_cannot_import_ends_and_says_so(make_template):
    template = make_template(sys.executable, "-c", "import nothing_of_that_name")

    runner = RunnerProcess(template)
    wait_for(lambda: runner.returncode is not None)

    assert runner.returncode == EXIT_UNBORN
    runner.close()
