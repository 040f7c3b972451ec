"""Orphaned processes: this process becomes their parent, so that it learns how runners end."""

import ctypes
import os
from collections.abc import Collection

import psutil

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans(whether: bool) -> None:
    """Make this process the parent of orphaned descendants, or stop being it."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def collect_orphans(known: Collection[int]) -> None:
    """Collect ended children that nobody waits for, which are zombies until then.

    Args:
        known: Pids of children that somebody waits for. Children in this process's own session were never orphans.
    """
    for child in psutil.Process().children():
        try:
            is_ours = child.pid in known or os.getsid(child.pid) == os.getsid(0)
            if not is_ours and child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)
        except (psutil.NoSuchProcess, ProcessLookupError, ChildProcessError):
            continue  # collected meanwhile
