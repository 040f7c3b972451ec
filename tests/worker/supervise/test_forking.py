import errno
import os
import signal
import sys

import pytest

from worker.protocol import Stop
from worker.supervise.process import EXIT_UNBORN, RunnerProcess


@pytest.fixture
def stuck(make_template):
    """A template that never comes to fork: `sleep`, which takes the descriptor for more seconds."""
    return make_template("sleep", "600")


def test_a_runner_that_is_killed_before_its_birth_is_given_up_and_its_template_imports_on(stuck):
    runner = RunnerProcess(stuck)
    runner.send(Stop(save=False))  # waits
    before = runner.returncode

    runner.kill()

    assert before is None
    assert (runner.pid, runner.returncode, runner.resident_bytes()) == (None, EXIT_UNBORN, 0)
    assert runner.drained()
    assert stuck._process.poll() is None
    runner.close()


def test_a_template_that_forks_nothing_for_too_long_is_replaced(stuck, monkeypatch):
    monkeypatch.setattr("worker.supervise.process.WARM_UP_TIMEOUT_S", 0.0)
    runner = RunnerProcess(stuck)
    template = stuck._process

    runner.close()
    exit_status = template.wait(5)
    RunnerProcess(stuck).close()

    assert exit_status == -signal.SIGKILL
    assert stuck._process.pid != template.pid


@pytest.mark.parametrize("fault", ["socket.send_fds", "os.pipe", "subprocess.Popen"])
def test_a_request_that_fails_leaves_no_descriptor_open(make_template, monkeypatch, fault):
    template = make_template("sleep", "601")
    RunnerProcess(template).close()
    if fault == "subprocess.Popen":
        template.close()
    called = []
    module, name = fault.split(".")
    original = getattr(sys.modules[module], name)

    def failing(*args, **options):
        called.append(args)
        if fault == "os.pipe" and len(called) % 2 == 1:  # the second of two fails
            return original(*args, **options)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(f"worker.supervise.forking.{fault}", failing)
    open_before = os.listdir("/proc/self/fd")
    for _ in range(5):
        with pytest.raises(OSError, match="Too many"):
            RunnerProcess(template)

    assert len(os.listdir("/proc/self/fd")) - len(open_before) in (0, 1)  # the socket to a template that did not start
