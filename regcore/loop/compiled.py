"""`training.compile`: the forward pass through torch's compiler, with a plain one behind it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from regcore.record import Record


def compiled(forward: Callable[..., Tensor], on_record: Callable[[Record], None]) -> Callable[..., Tensor]:
    """The forward pass compiled; where the compiler fails, a warning says so and the plain one serves.

    The compiler forgets whatever this process compiled before, so other compiled functions are compiled anew too.
    """
    # It keeps at most 8 versions of a function, and every network has the same `forward`: without a fresh start, the
    # ninth pass of a process would not be compiled, and the versions before would decide its last bits.
    torch.compiler.reset()
    fast = torch.compile(forward)
    # Beyond that limit it goes on without compiling, and only torch's own log says so.
    loudly = torch._dynamo.config.patch(fail_on_recompile_limit_hit=True)
    working: list[Callable[..., Tensor]] = [fast]

    def call(*args: Any, **kwargs: Any) -> Tensor:
        if working[0] is forward:
            return forward(*args, **kwargs)
        try:
            with loudly:
                return fast(*args, **kwargs)
        except Exception as error:  # torch.compile raises whatever its backends raise
            working[0] = forward
            message = f"torch.compile failed, training goes on without it: {str(error).splitlines()[0]}"
            on_record(Record("warning", {"code": "compile_failed", "message": message}))
            return forward(*args, **kwargs)

    return call
