"""Run a command, then fail if any process that it started, directly or not, is still alive."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
SETTLE_S = 5.0


def children() -> dict[int, str]:
    """Return live orphans of the command; because this process is a subreaper, they are its direct children."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text("utf-8").split()
    found = {}
    for pid in map(int, listed):
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except FileNotFoundError:
            continue
        if line.strip():  # a zombie has no command line
            found[pid] = line.strip()
    return found


def run(command: list[str]) -> int:
    """Return the command's exit status, and collect orphans that end meanwhile, as an init process does."""
    pid = subprocess.Popen(command).pid
    while True:
        ended, status = os.wait()
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def main(command: list[str]) -> int:
    """Return the command's exit status, or 1 if it was 0 and a process was left."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    status = run(command)

    deadline = time.monotonic() + SETTLE_S
    while (left := children()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid, line in left.items():
        sys.stderr.write(f"left running by the tests: {pid} {line}\n")
        os.kill(pid, 9)
    return status or int(bool(left))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
