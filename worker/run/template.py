"""The process that runners are forked from: `python -m worker.run.template REQUESTS_FD`.

`worker.supervise.forking` starts it. It imports torch and everything else that training needs, once, and uses none of
it: when it forks, it holds no thread, no GPU context and no user's data. A runner then starts in a tenth of a second,
and shares the memory of the imported modules.
"""

import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import setproctitle

from worker.protocol import Born, encode

_IMPORTS = ("worker.run.runner", "regcore.artifacts", "sklearn.datasets", "sklearn.model_selection")
"""What training imports, at once or on first use."""
_WATCH_MS = 100


def become_runner(requests: socket.socket) -> tuple[int, int]:
    """Fork a runner for each request; return only in the runners, never in the template.

    Args:
        requests: Each message brings two pipe ends: to read commands from, and to write events to.

    Returns:
        The runner's two pipe ends.
    """
    # Exempt all present objects from garbage collection: a collection in a runner would touch them, and so copy their
    # memory.
    gc.freeze()
    while True:
        _, descriptors, _, _ = socket.recv_fds(requests, 1, 2)
        if not descriptors:  # the worker is gone
            sys.exit()
        commands, events = descriptors
        if _fork_orphan():
            requests.close()
            os.setsid()
            try:
                os.write(events, encode(Born(os.getpid())))
            except BrokenPipeError:  # the worker has given this runner up
                os._exit(0)
            return commands, events
        os.close(commands)
        os.close(events)


def _fork_orphan() -> bool:
    """Fork a process that the worker adopts, so that the worker learns how it ends; returns True in that process."""
    between = os.fork()
    if between != 0:
        os.waitpid(between, 0)
        return False
    between = os.getpid()
    try:
        is_runner = os.fork() == 0
    except OSError:  # the system has no room for a process: the worker sees the pipe close
        os._exit(os.EX_OSERR)
    if not is_runner:
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0.0005)
    return True


def warm_kernels() -> None:
    """Load the optimizers' machine code, so that no job's first step waits for it; it starts no thread.

    What this machine has not compiled yet, the first job that needs it compiles: all kernels together take ten seconds,
    for which no other job should wait.
    """
    from regcore.optim.kernels import warm

    warm(only_kept=True)


@contextmanager
def _ending_with(requests: socket.socket) -> Iterator[None]:
    """End this process as soon as the worker has ended, even during an import."""
    over = threading.Event()

    def watch() -> None:
        poller = select.poll()
        poller.register(requests, 0)  # a hang-up is always reported
        while not over.is_set():
            if poller.poll(_WATCH_MS):
                os._exit(0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()  # no other thread may hold a lock while this process forks


def main() -> None:
    """Import everything, then fork the runners that are requested."""
    setproctitle.setproctitle("regcore-template")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = socket.socket(fileno=int(sys.argv[1]))
    with _ending_with(requests):
        for name in _IMPORTS:
            importlib.import_module(name)
        warm_kernels()
    commands, events = become_runner(requests)
    from worker.run.runner import main as run

    run(commands, events)


if __name__ == "__main__":
    main()
