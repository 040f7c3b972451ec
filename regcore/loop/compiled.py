"""`training.compile`: forward and backward through torch's compiler, with the plain ones as a fallback."""

from collections.abc import Callable
from typing import Any, Final

import torch

from regcore.record import Record

_MAX_MESSAGE: Final = 300


def compiled(function: Callable[..., Any], on_record: Callable[[Record], None]) -> Callable[..., Any]:
    """The compiled function; if the compiler fails, a warning says so and the plain one is used.

    It is compiled as one graph, or not at all: in parts it was slower than the plain one for every kind of network. The
    compiler's caches are emptied, so other compiled functions of this process are compiled again.
    """
    # The compiler keeps at most 8 versions of a function, and all runs share one. Without empty caches, the ninth pass
    # of a process would not be compiled, and earlier passes would affect its last bits.
    torch.compiler.reset()
    # Kernels for any number of rows fail for some layers; an epoch has two numbers of rows at most.
    fast = torch.compile(function, fullgraph=True, dynamic=False)
    # The gradients are of the graph. Beyond its limit torch stops compiling, and only its own log says so.
    settings = torch._dynamo.config.patch(trace_autograd_ops=True, fail_on_recompile_limit_hit=True)
    working: list[Callable[..., Any]] = [fast]

    def call(*args: Any, **kwargs: Any) -> Any:
        if working[0] is function:
            return function(*args, **kwargs)
        try:
            with settings:
                return fast(*args, **kwargs)
        except Exception as error:  # torch.compile raises any error of its backends
            working[0] = function
            message = f"torch.compile failed, training goes on without it: {_reason(error)}"
            on_record(Record("warning", {"code": "compile_failed", "message": message}))
            return function(*args, **kwargs)

    return call


def _reason(error: Exception) -> str:
    """The line of an error that says most: of the compiler's long ones the first, and what it explains."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    explained = next((line for line in lines if line.startswith("Explanation:")), "")
    return f"{lines[0]} {explained}".strip()[:_MAX_MESSAGE]
