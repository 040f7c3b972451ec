"""The app: what it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.catalogue import routes as catalogue_routes
from api.datasets import routes as dataset_routes
from api.http.auth import authenticate
from api.http.document import Links, document_of
from api.http.etags import refuse_versions
from api.http.guard import Guard
from api.http.handlers import install_handlers
from api.http.hosts import HostRules
from api.http.queries import refuse_repeats
from api.jobs import artifacts_routes, events_routes, metrics_routes
from api.jobs import routes as job_routes
from api.jobs.reruns import Rerun
from api.operations import routes as operations_routes
from api.services import open_services
from api.sweeps import routes as sweep_routes
from api.sweeps import suggestions_routes
from api.sweeps.comparisons import Comparison
from api.sweeps.suggestions import SuggestionRequest
from jobs.settings import Settings, load_settings
from regcore.spec import JobSpec
from regcore.study.sweep import SweepSpec

VERSION = "1"
DESCRIPTION = (
    "Regularized training of neural networks as a service: POST a job, get a model and the evidence. "
    "Ignore response fields that you do not know, and tolerate new values of enumerations: version 1 only adds."
)
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
BODIES: tuple[type[BaseModel], ...] = (JobSpec, Rerun, SweepSpec, Comparison, SuggestionRequest)
"""What the operations read their bodies as, for the document."""

_THIS_JOB, _THIS_SWEEP = {"job_id": "$response.body#/id"}, {"sweep_id": "$response.body#/id"}
_THIS_DATASET = {"dataset_id": "$response.body#/id"}
LINKS: Links = {
    ("/v1/jobs", "post", "201"): ("this", _THIS_JOB),
    ("/v1/jobs", "get", "200"): ("first", {"job_id": "$response.body#/data/0/id"}),
    ("/v1/jobs/{job_id}/rerun", "post", "201"): ("this", _THIS_JOB),
    ("/v1/jobs/{job_id}/artifacts", "get", "200"): (
        "first",
        {"job_id": "$request.path.job_id", "name": "$response.body#/data/0/name"},
    ),
    ("/v1/sweeps", "post", "201"): ("this", _THIS_SWEEP),
    ("/v1/sweeps", "get", "200"): ("first", {"sweep_id": "$response.body#/data/0/id"}),
    ("/v1/datasets", "post", "202"): ("this", _THIS_DATASET),
    ("/v1/datasets", "post", "200"): ("this", _THIS_DATASET),
    ("/v1/datasets", "get", "200"): ("first", {"dataset_id": "$response.body#/data/0/id"}),
}


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
        version=VERSION,
        description=DESCRIPTION,
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
    app.openapi = lambda: document_of(app, routes, BODIES, LINKS, settings.public_url)  # type: ignore[method-assign] # FastAPI's documented way to extend it
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.services.close()
