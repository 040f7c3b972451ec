"""The child process that trains: `python -m worker.runner COMMANDS_FD EVENTS_FD`, started by a supervisor.

It holds no credentials and writes nothing but its run's directory and its pipe. It ends by itself when the
pipe closes (the supervisor died) or when its lease runs out (the supervisor is stopped, or cut off from the
database).
"""

import logging
import resource
import signal
import sys
from dataclasses import replace

import setproctitle

from worker.pipes import Commands, Events
from worker.protocol import Finished, Fit, Ready


def main() -> None:
    """Warm up, say so, and train whatever comes until the pipe closes."""
    setproctitle.setproctitle("regcore-runner")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # A core file would hold the user's data.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    commands = Commands(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: commands.terminate())
    events = Events(int(sys.argv[2]))
    # Torch takes seconds to import: the pipe is read already, so that nobody outlives its supervisor meanwhile.
    from worker.training import execute, find_fitting, versions, warm_up

    warm_up()
    events.send(Ready(versions()))
    while not commands.is_terminated():
        work = commands.next_work()
        answer = find_fitting(work) if isinstance(work, Fit) else execute(work, commands, events)
        if isinstance(answer, Finished) and commands.is_terminated():
            answer = replace(answer, clean=False)
        # In this order: the next run may arrive as soon as this one is known to have ended.
        commands.run_ended()
        events.send(answer)


if __name__ == "__main__":
    main()
