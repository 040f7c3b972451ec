"""The engine's own state of torch and NumPy, independent of the caller's.

A caller may have switched gradients off, enabled autocast, changed the default dtype, device or number of threads, …
Each of these would change a run's bits or break it. So every entry (training, predicting, saving) sets what it depends
on, and restores the caller's state at the end, also after an exception.

Some of the state belongs to a thread, some to the process. Process state is shared by all threads inside the engine:
the first to enter sets it, the last to leave restores it.

The caller keeps the choice of how many threads a large network uses, by `torch.set_num_threads` or `OMP_NUM_THREADS`,
because it divides the machine. The number decides the order of long sums, and so the last bits; a resumed run uses the
number with which it began. Callbacks of a run are called in the engine's state.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch._C import _len_torch_dispatch_stack, _len_torch_function_stack
from torch.overrides import _pop_mode, _push_mode
from torch.utils._python_dispatch import _disable_current_modes

Item = TypeVar("Item")

_AUTOCAST_DEVICES: Final = ("cpu", "cuda")
_MATMUL_BACKENDS: Final[tuple[Any, ...]] = (
    torch.backends.cuda.matmul,
    torch.backends.mkldnn.matmul,  # type: ignore[attr-defined]  # created where mypy does not see it
)


@contextmanager
def own_state(num_threads: int | None = None) -> Iterator[None]:
    """Compute in the engine's own state; usable as a decorator, `@own_state()`.

    Args:
        num_threads: Threads for computing; None to keep the present number.
    """
    with ExitStack() as stack:
        stack.enter_context(_OfTheProcess())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        for setting in (_no_autocast(), _no_function_modes(), _no_dispatch_modes(), _no_hooks(), _denormals()):
            stack.enter_context(setting)
        stack.enter_context(_threads(num_threads))
        yield


def each_in_own_state(items: Iterator[Item], num_threads: int | None = None) -> Iterator[Item]:
    """Yield the same items, each computed in the engine's state; the caller handles each in its own state."""
    while True:
        with own_state(num_threads):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


class _OfTheProcess:
    """The state that all threads share."""

    _lock = threading.Lock()
    _num_inside = 0
    _found = ExitStack()

    def __enter__(self) -> None:
        kind = type(self)
        with kind._lock:
            if kind._num_inside == 0:
                for get, put, wanted in _PROCESS_SETTINGS:
                    found = get()
                    if found != wanted:  # setting the same value again would import the whole compiler
                        kind._found.callback(put, found)
                        put(wanted)
            kind._num_inside += 1

    def __exit__(self, *_: object) -> None:
        kind = type(self)
        with kind._lock:
            kind._num_inside -= 1
            if kind._num_inside == 0:
                kind._found.close()


def _determinism() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_determinism(found: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(found[0], warn_only=found[1])


def _anomaly() -> tuple[bool, bool]:
    return torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()


def _set_anomaly(found: tuple[bool, bool]) -> None:
    torch.autograd.set_detect_anomaly(*found)


def _matmul_precision() -> tuple[str, list[str]]:
    """The setting for all backends, and each backend's own."""
    try:
        word = torch.get_float32_matmul_precision()
    except RuntimeError:  # set for one backend by the newer names, which do not change the common setting
        word = "highest"
    return word, [backend.fp32_precision for backend in _MATMUL_BACKENDS]


def _set_matmul_precision(found: tuple[str, list[str]]) -> None:
    torch.set_float32_matmul_precision(found[0])
    for backend, precision in zip(_MATMUL_BACKENDS, found[1], strict=True):
        backend.fp32_precision = precision


def _has_mkldnn() -> bool:
    return bool(torch.backends.mkldnn.enabled)


def _set_mkldnn(is_enabled: bool) -> None:
    torch.backends.mkldnn.enabled = is_enabled  # type: ignore[assignment]  # a property of the module


_PROCESS_SETTINGS: Final[list[tuple[Callable[[], Any], Callable[[Any], None], Any]]] = [
    (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    (_determinism, _set_determinism, (False, False)),
    (_anomaly, _set_anomaly, (False, True)),  # otherwise a diverging run would end as an error of ours
    (_matmul_precision, _set_matmul_precision, ("highest", ["ieee", "ieee"])),
    (_has_mkldnn, _set_mkldnn, True),
]
"""How to read and set each of them, and the engine's value."""


@contextmanager
def _no_autocast() -> Iterator[None]:
    """Disable autocast and its cache: inside the caller's autocast, a cached cast of weights would outlive its step."""
    found = [torch.is_autocast_enabled(device) for device in _AUTOCAST_DEVICES]
    caches = torch.is_autocast_cache_enabled()
    try:
        for device in _AUTOCAST_DEVICES:
            torch.set_autocast_enabled(device, False)
        torch.set_autocast_cache_enabled(False)
        yield
    finally:
        torch.set_autocast_cache_enabled(caches)
        for device, was_enabled in zip(_AUTOCAST_DEVICES, found, strict=True):
            torch.set_autocast_enabled(device, was_enabled)


@contextmanager
def _no_function_modes() -> Iterator[None]:
    """Remove modes that intercept every call, such as a default device; adding one of our own would slow each step."""
    found = [_pop_mode() for _ in range(_len_torch_function_stack())]  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for mode in reversed(found):
            _push_mode(mode)  # type: ignore[no-untyped-call]  # torch leaves both without annotations


@contextmanager
def _no_dispatch_modes() -> Iterator[None]:
    """Remove modes that intercept every kernel, such as fake tensors; only if needed, because the import is slow."""
    with _disable_current_modes() if _len_torch_dispatch_stack() else nullcontext():
        yield


@contextmanager
def _no_hooks() -> Iterator[None]:
    """Remove hooks on the tensors that are saved for gradients, which could replace them."""
    found = []
    while hooks := _top_hooks():
        torch._C._autograd._pop_saved_tensors_default_hooks()
        found.append(hooks)
    try:
        yield
    finally:
        for hooks in reversed(found):
            torch._C._autograd._push_saved_tensors_default_hooks(*hooks)


def _top_hooks() -> tuple[Any, Any] | None:
    """The innermost hooks; torch's annotation omits that there may be none."""
    return torch._C._autograd._top_saved_tensors_default_hooks(False)


@contextmanager
def _denormals() -> Iterator[None]:
    """Keep denormal numbers. Torch cannot report the present setting."""
    are_flushed = sys.float_info.min / 2 == 0
    if are_flushed:
        torch.set_flush_denormal(False)
    try:
        yield
    finally:
        if are_flushed:
            torch.set_flush_denormal(True)


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    found = torch.get_num_threads()
    try:
        _set_threads(found if wanted is None else wanted)
        yield
    finally:
        _set_threads(found)


_thread_counts = threading.Lock()


def _set_threads(wanted: int) -> None:
    """Set the number of threads for this thread, but not for threads that start later.

    `torch.set_num_threads` affects the calling thread and all that start later. A thread that has just started knows
    the number for these, and sets it again.
    """
    if wanted == torch.get_num_threads():
        return
    is_read, is_set = threading.Event(), threading.Event()

    def keep_for_later() -> None:
        for_later = torch.get_num_threads()
        is_read.set()
        is_set.wait()
        torch.set_num_threads(for_later)

    with _thread_counts:
        newborn = threading.Thread(target=keep_for_later)
        newborn.start()
        is_read.wait()
        torch.set_num_threads(wanted)
        is_set.set()
        newborn.join()
