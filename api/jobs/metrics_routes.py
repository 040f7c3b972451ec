"""A job's metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.http.auth import TheTenant
from api.http.negotiation import JSON, negotiate
from api.http.responses import problems
from api.jobs import examples
from api.jobs.metrics import MetricsLog, write_csv
from api.jobs.queries import MetricsQuery
from api.jobs.schemas import MetricsPage
from api.services import TheServices

CSV = "text/csv"

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

_CONTENT = {
    JSON: {"example": examples.METRICS},
    CSV: {"schema": {"type": "string"}, "example": examples.METRICS_CSV},
}


@router.get(
    "/{job_id}/metrics",
    response_model=MetricsPage,
    responses={**problems("job_not_found"), 200: {"description": "As asked", "content": _CONTENT}},
)
def job_metrics(
    request: Request,
    response: Response,
    services: TheServices,
    tenant: TheTenant,
    job_id: str,
    query: Annotated[MetricsQuery, Query()],
) -> Any:
    """Show a job's metrics: a page, or a curve thinned out for a chart. As CSV with `Accept: text/csv`."""
    media_type = negotiate(request, [JSON, CSV])
    page = MetricsLog(services.store, tenant, job_id).page(query)
    if media_type == CSV:
        return Response(write_csv(page), media_type=CSV, headers={"Vary": "Accept"})
    response.headers["Vary"] = "Accept"
    return page
