"""The child process that trains, forked from `worker.run.template` for a supervisor.

It holds no credentials and writes only to its run's directory and its pipe. It ends by itself when the pipe closes (the
supervisor died) or when its lease expires (the supervisor is stopped, or cut off from the database).
"""

import logging
import resource
import signal
import sys
from dataclasses import replace

import setproctitle

from regcore.record import format_time
from worker.protocol import Finished, Measure, Ready
from worker.run.pipes import Commands, Events
from worker.run.training import execute, find_capacity, versions, warm_up


def main(commands_fd: int, events_fd: int) -> None:
    """Warm up, report that, and train each run that comes until the pipe closes."""
    setproctitle.setproctitle("regcore-runner")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core file would contain the user's data.
    _configure_log()
    commands = Commands(commands_fd)
    signal.signal(signal.SIGTERM, lambda *_: commands.terminate())
    events = Events(events_fd)
    warm_up()
    events.send(Ready(versions()))
    while not commands.is_terminated():
        work = commands.next_work()
        answer = find_capacity(work) if isinstance(work, Measure) else execute(work, commands, events)
        if isinstance(answer, Finished) and commands.is_terminated():
            answer = replace(answer, clean=False)
        # In this order: the next run may come as soon as this one is reported to have ended.
        commands.run_ended()
        events.send(answer)


class _Formatter(logging.Formatter):
    """Begins each line of a job's log with its time as the api gives times."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return format_time(record.created)


def _configure_log() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
