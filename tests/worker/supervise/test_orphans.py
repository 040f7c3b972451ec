import subprocess
import sys

import psutil
import pytest
from supervising import wait_for

from worker.supervise.orphans import collect_orphans
from worker.supervise.process import RunnerProcess

BECOME_RUNNER = "import os, socket, subprocess, sys, time; from worker.run.template import become_runner; "
BECOME_RUNNER += "commands, events = become_runner(socket.socket(fileno=int(sys.argv[1]))); "


def zombies():
    return [child.pid for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]


@pytest.fixture
def template(make_template):
    """Its runners start something in a session of its own, which ends as an orphan of this process."""
    return make_template(sys.executable, "-c", BECOME_RUNNER + "os.system('setsid true &'); time.sleep(600)")


def test_what_a_runner_had_started_in_another_session_is_collected_with_it(template):
    runner = RunnerProcess(template)
    wait_for(lambda: runner.returncode is None and runner.pid is not None and zombies())

    runner.close()

    assert zombies() == []


def test_what_somebody_waits_for_is_left_to_them():
    own = subprocess.Popen(["true"])
    other = subprocess.Popen(["false"], start_new_session=True)
    wait_for(lambda: {own.pid, other.pid} <= set(zombies()))

    collect_orphans({other.pid})

    assert own.wait() == 0
    assert other.wait() == 1
