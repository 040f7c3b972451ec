"""The app: its parts, and how it is served."""

import gc
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import FrameType

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from setproctitle import setproctitle

from api.catalogue import routes as catalogue_routes
from api.datasets import routes as dataset_routes
from api.http.auth import authenticate
from api.http.etags import refuse_versions
from api.http.guard import Guard
from api.http.handlers import install_handlers
from api.http.hosts import HostRules
from api.http.protocol import ProblemProtocol
from api.http.queries import refuse_repeats
from api.jobs import artifacts_routes, events_routes, metrics_routes
from api.jobs import routes as job_routes
from api.openapi import document_of
from api.operations import routes as operations_routes
from api.services import Shutdown, open_services
from api.sweeps import routes as sweep_routes
from api.sweeps import suggestions_routes
from jobs.logs import configure_logging, get_logger
from jobs.settings import Settings, load_settings
from jobs.startup import CANNOT_START, begin, reason_of

ROUTERS = [
    job_routes.router,
    metrics_routes.router,
    events_routes.router,
    artifacts_routes.router,
    sweep_routes.router,
    suggestions_routes.router,
    dataset_routes.router,
    catalogue_routes.router,
    operations_routes.router,
]
SHUTDOWN_GRACE_S = 3
COLLECT_AFTER_OBJECTS = 50_000
KEEP_ALIVE_S = 130
"""Longer than proxies keep idle connections to us (nginx and AWS 60 s, Traefik 90 s, Caddy 120 s): where we closed one
that a proxy is just sending a request on, its client would get a 502."""

_logger = get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the app with its services open.

    Args:
        settings: The server's; read from the environment if None.

    Raises:
        SettingsError: The environment holds settings that cannot be used.
        UnmigratedDatabaseError: The database is not of this version.
        StoreUnavailableError: The database does not answer.
    """
    settings = settings or load_settings()
    app = build_app(settings)
    app.state.services = open_services(settings)
    return app


def build_app(settings: Settings) -> FastAPI:
    """Return the app without its services, for its documentation."""
    app = FastAPI(
        title="RegCore",
        lifespan=_lifespan,
        dependencies=[Depends(authenticate), Depends(refuse_repeats), Depends(refuse_versions)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in ROUTERS:
        app.include_router(router)
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    install_handlers(app, routes)
    app.add_middleware(Guard, rules=HostRules(settings))
    app.openapi = lambda: document_of(app, routes, settings.public_url)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return app


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


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.services.close()
