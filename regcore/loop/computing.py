"""What a computation raises, told as the end of those it was for."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from regcore.errors import ComputationError, TrainingError


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: torch says it by type for a GPU, and in words for the host."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    )


@contextmanager
def computing(what: str) -> Iterator[None]:
    """Around numbers alone, never around what others are told or asked: what those raise is theirs.

    Args:
        what: Is done, for the message: `step 7`.

    Raises:
        ComputationError: It failed, by whatever exception; memory or disk space that ran out is raised as it is.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, TrainingError | OSError) or is_out_of_memory(error):
            raise
        raise ComputationError(
            f"{what} failed with {type(error).__name__}: {error}",
            remedy="This is a fault of RegCore's: report it with the spec.",
        ) from error
