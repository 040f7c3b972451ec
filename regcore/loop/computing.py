"""What a computation raises, told as the end of those it was for."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from regcore.errors import ComputationError, TrainingError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: torch says it by type for a GPU, and in words for the host."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


def is_disk_full(error: Exception) -> bool:
    """Whether there was no room on a disk: Python says it by number, a library that writes files itself in words."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return any(os.strerror(number) in str(error) for number in _NO_ROOM)


@contextmanager
def computing(what: str) -> Iterator[None]:
    """Around numbers alone, never around what others are told or asked: what those raise is theirs.

    Args:
        what: Is done, for the message: `step 7`.

    Raises:
        OSError: There was no room on the disk.
        ComputationError: It failed, by whatever other exception; memory that ran out is raised as it is.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, TrainingError | OSError) or is_out_of_memory(error):
            raise
        if is_disk_full(error):
            raise OSError(errno.ENOSPC, str(error)) from error
        raise ComputationError(
            f"{what} failed with {type(error).__name__}: {error}",
            remedy="This is a fault of RegCore's: report it with the spec.",
        ) from error
