"""`training.compile`: the forward pass through torch's compiler, with the plain one as a fallback."""

from collections.abc import Callable
from typing import Any

import torch

from regcore.record import Record


def compiled(forward: Callable[..., Any], on_record: Callable[[Record], None]) -> Callable[..., Any]:
    """The compiled forward pass; if the compiler fails, a warning says so and the plain one is used.

    The compiler's caches are emptied, so other compiled functions of this process are compiled again.
    """
    # The compiler keeps at most 8 versions of a function, and all networks share one `forward`. Without empty caches,
    # the ninth pass of a process would not be compiled, and earlier passes would affect its last bits.
    torch.compiler.reset()
    fast = torch.compile(forward)
    # Beyond that limit torch stops compiling, and only its own log says so.
    loudly = torch._dynamo.config.patch(fail_on_recompile_limit_hit=True)
    working: list[Callable[..., Any]] = [fast]

    def call(*args: Any, **kwargs: Any) -> Any:
        if working[0] is forward:
            return forward(*args, **kwargs)
        try:
            with loudly:
                return fast(*args, **kwargs)
        except Exception as error:  # torch.compile raises any error of its backends
            working[0] = forward
            message = f"torch.compile failed, training goes on without it: {str(error).splitlines()[0]}"
            on_record(Record("warning", {"code": "compile_failed", "message": message}))
            return forward(*args, **kwargs)

    return call
