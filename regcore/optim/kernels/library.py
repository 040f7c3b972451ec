"""A kernel for a dtype, as a function: compiled once on a machine, then read from disk."""

from __future__ import annotations

import ctypes
import os
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final

Kernel = Callable[..., None]
"""Its arguments, integers, are those of `kernels.blocks`; it lets other threads of Python run meanwhile."""

KERNELS: Final = {"sgd": "sgd", "second_moment": "adaptive", "adam": "adaptive", "rmsprop": "adaptive"}
"""The module of each kernel."""
DTYPES: Final = ("float32", "float64")
_FUNCTION: Final = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 11)

_lock = threading.RLock()
_loaded: dict[tuple[str, str], Kernel | None] = {}
_engines: list[Any] = []
"""What owns the machine code that is in memory."""


def load(name: str, dtype: str) -> Kernel | None:
    """A kernel as a function.

    Args:
        name: One of `KERNELS`.
        dtype: Of the weights: one of `DTYPES`.

    Returns:
        The kernel; None where there is no numba, or it cannot compile here.
    """
    key = (name, dtype)
    if key not in _loaded:
        with _lock:
            if key not in _loaded:
                _loaded[key] = _load(name, dtype)
    return _loaded[key]


def warm(*, only_kept: bool = False) -> None:
    """Load every kernel, so that no step waits for it; the first time on a machine this compiles them, for seconds.

    It starts no thread: a process that has called it may fork.

    Args:
        only_kept: Whether to leave out those that would have to be compiled.
    """
    for name in KERNELS:
        for dtype in DTYPES:
            if not only_kept or _is_kept(name, dtype):
                load(name, dtype)


def _is_kept(name: str, dtype: str) -> bool:
    try:
        from regcore.optim.kernels.cache import is_kept
    except (ImportError, OSError):  # not installed, or without the system libraries that it needs
        return False
    return is_kept(f"{name}-{dtype}")


def _load(name: str, dtype: str) -> Kernel | None:
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":  # numba's own switch
        return None
    try:
        from regcore.optim.kernels.cache import kept  # and with it LLVM, which nobody needs before

        return _linked(name, kept(f"{name}-{dtype}", lambda: _compiled(name, dtype)))
    except (ImportError, OSError):  # not installed, or without the system libraries that it needs
        return None
    except Exception as error:  # numba's compiler raises errors of any kind; torch's operations do the same
        message = f"the {name} kernel cannot be compiled here; training is slower without it: {error!r}"
        warnings.warn(message, RuntimeWarning, stacklevel=2)
        return None


def _compiled(name: str, dtype: str) -> bytes:
    from regcore.optim.kernels.compile import compile_kernel  # numba is imported where nothing is kept

    return compile_kernel(KERNELS[name], name, dtype)


def _linked(name: str, code: bytes) -> Kernel:
    """The machine code as a function of this process."""
    import llvmlite.binding as llvm

    from regcore.optim.kernels.machine import host_machine

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), host_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return _FUNCTION(engine.get_function_address(name))
