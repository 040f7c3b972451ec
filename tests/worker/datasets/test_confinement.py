"""Limits hold for a process from the inside: each probe is a process of its own that tries to exceed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CONFINE = """
import os, resource, sys, time
from worker.datasets.confinement import Confinement, confine
confine(Confinement(memory_bytes=300 << 20, cpu_s=1, file_bytes=1 << 20), os.getppid())
"""


def run(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CONFINE + code], cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("bytearray(400 << 20)", "MemoryError"),
        ("import mmap; mmap.mmap(-1, 2 << 30)", "Cannot allocate memory"),
        ("open('large', 'wb').write(bytes(2 << 20))", "File too large"),
    ],
    ids=["memory", "shared-memory", "file"],
)
def test_a_process_that_wants_more_than_its_limit_is_told_no(code: str, words: str, tmp_path: Path) -> None:
    ran = run(code, tmp_path)

    assert ran.returncode == 1
    assert words in ran.stderr


def test_a_process_that_computes_for_too_long_is_killed(tmp_path: Path) -> None:
    ran = run("while True: pass", tmp_path)

    assert -ran.returncode in (signal.SIGKILL, signal.SIGXCPU)


def test_within_its_limits_a_process_works_quietly_and_privately(tmp_path: Path) -> None:
    ran = run("bytearray(200 << 20); open('f', 'wb').write(bytes(1 << 19)); print(os.nice(0))", tmp_path)

    assert (ran.returncode, int(ran.stdout)) == (0, min(os.nice(0) + 10, 19))
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_process_dies_with_its_parent(tmp_path: Path) -> None:
    child = CONFINE + "print(os.getpid(), flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"

    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()

    deadline = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_process_whose_parent_died_before_it_asked_ends_at_once() -> None:
    code = "from worker.datasets.confinement import *; confine(Confinement(1 << 30, 9, 9), 1 << 22); print('lives')"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (os.EX_TEMPFAIL, "")


def test_a_limit_is_never_above_the_one_that_the_operator_has_set(tmp_path: Path) -> None:
    first = "confine(Confinement(1 << 40, 99, 1 << 30), os.getppid()); print(resource.getrlimit(resource.RLIMIT_DATA))"

    ran = run(first, tmp_path)

    assert ran.stdout.strip() == str((300 << 20, 300 << 20))
