"""`training.compile`: the forward pass through torch's compiler, with a plain one behind it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from regcore.record import Record


def compiled(forward: Callable[..., Tensor], on_record: Callable[[Record], None]) -> Callable[..., Tensor]:
    """The forward pass compiled; where the compiler fails, a warning says so and the plain one serves."""
    fast = torch.compile(forward)
    working: list[Callable[..., Tensor]] = [fast]

    def call(*args: Any, **kwargs: Any) -> Tensor:
        if working[0] is forward:
            return forward(*args, **kwargs)
        try:
            return fast(*args, **kwargs)
        except Exception as error:  # torch.compile raises whatever its backends raise
            working[0] = forward
            message = f"torch.compile failed, training goes on without it: {str(error).splitlines()[0]}"
            on_record(Record("warning", {"code": "compile_failed", "message": message}))
            return forward(*args, **kwargs)

    return call
