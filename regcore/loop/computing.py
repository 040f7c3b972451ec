"""Errors of a computation, as reasons why its members end."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from regcore.errors import ComputationError, TrainingError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: torch tells by the error's type for a GPU, and by its text for the host."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


def is_disk_full(error: Exception) -> bool:
    """Whether a disk was full: Python tells by the error's number, a library that writes files itself by its text."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM
    return any(os.strerror(number) in str(error) for number in _NO_ROOM)


@contextmanager
def computing(what: str) -> Iterator[None]:
    """Turn any error of a computation into a ComputationError. Not for code that calls the user's functions: their
    errors pass unchanged.

    Args:
        what: What is computed, for the message: `step 7`.

    Raises:
        OSError: The disk is full.
        ComputationError: It failed, with any exception; errors about memory or disk space are raised unchanged.
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
