"""The process that runners are forked from: `python -m worker.template REQUESTS_FD`, started by `worker.forking`.

It imports torch and whatever else training asks for, once, and uses none of it: no thread, no GPU and nothing of any
user's is in it when it forks. A runner then starts in a tenth of a second, and shares the memory of what was imported.
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

_IMPORTS = ("worker.runner", "regcore.artifacts", "sklearn.datasets", "sklearn.model_selection")
"""What training imports, with what it imports on first use."""
_WATCH_MS = 100


def become_runner(requests: socket.socket) -> tuple[int, int]:
    """Fork a runner for each request; return in each of them, never in the template.

    Args:
        requests: Each message brings two pipe ends: to read commands from, and to write events to.

    Returns:
        The runner's two pipe ends.
    """
    # What is here stays here: a collection in a runner need not look through it, and so copies none of its memory.
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
            except BrokenPipeError:  # it was given up meanwhile
                os._exit(0)
            return commands, events
        os.close(commands)
        os.close(events)


def _fork_orphan() -> bool:
    """Fork a process that the worker adopts, so that the worker learns how it ends; returns whether this is it."""
    between = os.fork()
    if between != 0:
        os.waitpid(between, 0)
        return False
    between = os.getpid()
    try:
        is_runner = os.fork() == 0
    except OSError:  # no process to be had now: the worker sees the pipe closed
        os._exit(os.EX_OSERR)
    if not is_runner:
        os._exit(0)
    while os.getppid() == between:
        time.sleep(0.0005)
    return True


@contextmanager
def _ending_with(requests: socket.socket) -> Iterator[None]:
    """End this process as soon as the worker is gone, though it be in the middle of an import."""
    over = threading.Event()

    def watch() -> None:
        poller = select.poll()
        poller.register(requests, 0)  # a hang-up is always told
        while not over.is_set():
            if poller.poll(_WATCH_MS):
                os._exit(0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()  # nothing may hold a lock while this process forks


def main() -> None:
    """Import everything, then become as many runners as are asked for."""
    setproctitle.setproctitle("regcore-template")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests = socket.socket(fileno=int(sys.argv[1]))
    with _ending_with(requests):
        for name in _IMPORTS:
            importlib.import_module(name)
    commands, events = become_runner(requests)
    from worker.runner import main as run

    run(commands, events)


if __name__ == "__main__":
    main()
