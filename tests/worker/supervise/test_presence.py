"""The locks that say who is dead, with real processes that die."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from supervising import wait_for

from worker.supervise.presence import Presence

HOLDS = """
import os, sys, time
from pathlib import Path
from worker.supervise.presence import Presence
presence = Presence(Path(sys.argv[1]), "wrk_other")
if os.fork() == 0:  # as a runner is: it inherits the lock
    time.sleep(60)
print(os.getpid(), flush=True)
time.sleep(60)
"""


def hold(data_dir: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(data_dir)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_worker_is_dead_once_no_process_of_it_is_left(tmp_path: Path) -> None:
    mine = Presence(tmp_path, "wrk_mine")
    other = hold(tmp_path)
    found = [mine.dead()]

    other.kill()
    other.wait()
    found.append(mine.dead())  # its runner lives
    os.killpg(other.pid, signal.SIGKILL)
    wait_for(lambda: mine.dead() == ["wrk_other"])

    assert found == [[], []]
    mine.forget("wrk_other")
    assert mine.dead() == []
    mine.close()
    assert other.stdout is not None
    other.stdout.close()


def test_a_stopped_worker_is_not_dead(tmp_path: Path) -> None:
    mine = Presence(tmp_path, "wrk_mine")
    other = hold(tmp_path)

    os.killpg(other.pid, signal.SIGSTOP)

    assert mine.dead() == []
    os.killpg(other.pid, signal.SIGKILL)
    other.communicate()
    mine.close()


def test_of_a_worker_under_another_kernel_nothing_is_known(tmp_path: Path) -> None:
    mine = Presence(tmp_path, "wrk_mine")
    (tmp_path / "workers" / "wrk_elsewhere.lock").write_text("00000000-0000-0000-0000-000000000000")
    (tmp_path / "workers" / "wrk_empty.lock").write_bytes(b"")

    assert mine.dead() == []
    mine.close()


def test_a_worker_that_ended_by_itself_leaves_nothing(tmp_path: Path) -> None:
    presence = Presence(tmp_path, "wrk_mine")

    presence.close()

    assert list((tmp_path / "workers").iterdir()) == []


def test_where_files_cannot_be_locked_a_worker_starts_all_the_same_and_judges_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    first, second = Presence(tmp_path, "wrk_1"), Presence(tmp_path, "wrk_2")

    assert (first.dead(), second.dead()) == ([], [])
    for presence in (first, second):
        presence.close()
    assert list((tmp_path / "workers").iterdir()) == []


def test_where_the_kernel_is_not_named_nobody_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.supervise.presence._BOOT_ID_PATH", tmp_path / "nothing")
    mine = Presence(tmp_path, "wrk_mine")
    (tmp_path / "workers" / "wrk_other.lock").touch()

    assert mine.dead() == []
    mine.close()


def test_files_of_workers_that_nobody_knows_are_removed(tmp_path: Path) -> None:
    mine = Presence(tmp_path, "wrk_mine")
    for name in ("wrk_known.lock", "wrk_forgotten.lock", "wrk_half_made.new"):
        (tmp_path / "workers" / name).touch()

    mine.keep_only({"wrk_known"})

    assert {path.name for path in (tmp_path / "workers").iterdir()} == {"wrk_mine.lock", "wrk_known.lock"}
    mine.close()
