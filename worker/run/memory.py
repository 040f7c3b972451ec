"""A runner's own memory: its peak during a run, and giving what is free back between two runs."""

import ctypes
import gc
import os
from pathlib import Path

_CLEAR_REFS_PATH = Path("/proc/self/clear_refs")
_STATUS_PATH = Path("/proc/self/status")


def reset_peak_memory() -> None:
    """Reset VmHWM, so that a reused runner does not report an earlier job's peak."""
    if os.access(_CLEAR_REFS_PATH, os.W_OK):
        _CLEAR_REFS_PATH.write_text("5")


def peak_memory_bytes() -> int:
    """The highest resident memory since the last reset; 0 if the system does not report it."""
    for line in _STATUS_PATH.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def give_memory_back() -> None:
    """Free what nothing refers to, and return free memory to the system.

    The allocator is told to keep it while a run trains (`worker.environment`). A run that came after a larger one would
    otherwise be charged for that one's memory, which its `resources.max_memory_bytes` limits.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # glibc; other allocators return it by themselves
        trim(0)
