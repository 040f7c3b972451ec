"""The worker container's health check: 0 if this node's worker has sent a heartbeat within its lease."""

import socket
import sys

from jobs.errors import JobsError
from jobs.settings import load_settings
from jobs.store import open_store


def main() -> int:
    """Ask the store, not the process table: a running worker that cannot reach the store is not healthy."""
    node = socket.gethostname()
    try:
        workers = open_store(load_settings()).workers()
    except JobsError as error:
        sys.exit(str(error))  # to stderr, with status 1: what `docker inspect` shows
    return int(not any(worker.node == node and worker.state != "lost" for worker in workers))


if __name__ == "__main__":
    sys.exit(main())
