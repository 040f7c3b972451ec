"""The app: its parts, and how it is served."""

import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from setproctitle import setproctitle

from api.auth import authenticate
from api.etags import hold_to_version
from api.guard import Guard
from api.handlers import install_handlers
from api.hosts import HostRules
from api.openapi import document_of
from api.queries import refuse_repeats
from api.routes import artifacts, catalogue, events, jobs, metrics, operations, sweeps
from api.services import open_services
from jobs.logs import configure_logging, get_logger
from jobs.settings import Settings, load_settings
from jobs.startup import CANNOT_START, begin, reason_of

ROUTERS = [
    jobs.router,
    metrics.router,
    events.router,
    artifacts.router,
    sweeps.router,
    catalogue.router,
    operations.router,
]
SHUTDOWN_GRACE_S = 3
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
        dependencies=[Depends(authenticate), Depends(refuse_repeats), Depends(hold_to_version)],
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
    _logger.info("api_started", host=settings.host, port=settings.port, pid=os.getpid())
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.services.close()
