"""Serving the app: `main` runs until SIGTERM or SIGINT."""

import gc
import logging
import os
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from setproctitle import setproctitle

from api.app import create_app
from api.http.protocol import ProblemProtocol
from api.services import Shutdown
from jobs.logs import configure_logging, get_logger
from jobs.startup import CANNOT_START, begin, reason_of

SHUTDOWN_GRACE_S = 3
COLLECT_AFTER_OBJECTS = 50_000
KEEP_ALIVE_S = 130
"""Longer than proxies keep idle connections to us (nginx and AWS 60 s, Traefik 90 s, Caddy 120 s): where we closed one
that a proxy is just sending a request on, its client would get a 502."""

_logger = get_logger(__name__)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    setproctitle("regcore-api")
    settings = begin()
    configure_logging(settings.log_level)
    # The guard's own line for each request says more.
    logging.getLogger("uvicorn.access").disabled = True
    try:
        app = create_app(settings)
    except CANNOT_START as error:
        _logger.error("api_cannot_start", reason=reason_of(error, settings))
        sys.exit(1)
    _collect_less_often()
    _logger.info("api_started", host=settings.host, port=settings.port, pid=os.getpid())
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=ProblemProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    server = _Server(config, app.state.services.shutdown)
    # uvicorn raises the signal once more when it has stopped; if it cannot start it logs why, and leaves by itself.
    with suppress(KeyboardInterrupt, SystemExit):
        server.run()
    if not server.started:
        reason = f"It cannot listen on {settings.host}:{settings.port}. Change REGCORE_HOST or REGCORE_PORT."
        _logger.error("api_cannot_start", reason=reason)
        sys.exit(1)


def _collect_less_often() -> None:
    """Let Python look for garbage in cycles less often, and never among what is there from the start.

    A sweep of 10,000 members, or a body with as many mistakes, makes millions of objects and no such garbage; Python
    looks through all of them again and again, and spends a third of the time with it.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS)


class _Server(uvicorn.Server):
    """Passes on at once that it was told to stop: the app would hear of it only when its last stream has ended."""

    def __init__(self, config: uvicorn.Config, shutdown: Shutdown) -> None:
        super().__init__(config)
        self._shutdown = shutdown

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take SIGTERM or SIGINT."""
        self._shutdown.requested = True
        super().handle_exit(sig, frame)
