"""Hard limits of a process that reads what strangers wrote: the kernel holds it to them, whatever its libraries do."""

import ctypes
import os
import resource
import signal
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_MAPPED_BYTES = 1 << 30
"""Address space for what takes no memory of its own: libraries and mapped files."""
_NICENESS = 10


@dataclass(frozen=True)
class Confinement:
    """What a process may take.

    Attributes:
        memory_bytes: Memory that it can write to.
        cpu_s: Processor time of all its threads.
        file_bytes: The largest file that it may write.
    """

    memory_bytes: int
    cpu_s: int
    file_bytes: int


def confine(confinement: Confinement, parent_pid: int) -> None:
    """Hold this process to its limits, for good, and let it die with its parent.

    Args:
        confinement: The limits.
        parent_pid: The process that started this one; the kernel kills this one as soon as that has ended.
    """
    _die_with_parent(parent_pid)
    os.umask(0o077)
    os.nice(_NICENESS)  # the jobs of the same machine go first
    _limit(resource.RLIMIT_CORE, 0)  # a core file would hold the user's data
    _limit(resource.RLIMIT_DATA, confinement.memory_bytes)
    _limit(resource.RLIMIT_AS, confinement.memory_bytes + _MAPPED_BYTES)
    _limit(resource.RLIMIT_FSIZE, confinement.file_bytes)
    _limit(resource.RLIMIT_CPU, confinement.cpu_s)


def _die_with_parent(parent_pid: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # it ended before the kernel was asked
        os._exit(os.EX_TEMPFAIL)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))
