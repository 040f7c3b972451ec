"""The worker container's health check: 0 if this node's worker has sent a heartbeat within its lease."""

import socket
import sys

from jobs.settings import Settings
from jobs.store import open_store


def main() -> int:
    """Ask the store, not the process table: a running worker that cannot reach the store is not healthy."""
    store = open_store(Settings())
    node = socket.gethostname()
    return int(not any(worker.node == node and worker.state != "lost" for worker in store.workers()))


if __name__ == "__main__":
    sys.exit(main())
