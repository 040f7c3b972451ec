"""A job's log: a page, or live."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse

from api.http.auth import TheTenant
from api.http.negotiation import JSON, negotiate
from api.http.responses import problems
from api.jobs import examples
from api.jobs.events import EventStream
from api.jobs.log_places import LAST_EVENT_ID, read_last_event_id, state_behind
from api.jobs.queries import EventsQuery
from api.jobs.schemas import EventPage, show_event
from api.services import TheServices

STREAM = "text/event-stream"

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

# Proxies such as nginx would otherwise gather events before they pass them on, and such as Caddy compress them.
_STREAM_HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no", "Vary": "Accept"}
_CONTENT = {
    JSON: {"example": examples.EVENTS},
    STREAM: {"schema": {"type": "string"}, "example": examples.EVENT_STREAM},
}


@router.get(
    "/{job_id}/events",
    response_model=EventPage,
    responses={
        **problems("job_not_found"),
        200: {"description": "A page, or the live log", "content": _CONTENT},
        204: {"description": "The client has already had the terminal event"},
    },
)
def job_events(
    request: Request,
    response: Response,
    services: TheServices,
    tenant: TheTenant,
    job_id: str,
    query: Annotated[EventsQuery, Query()],
    last_event_id: Annotated[
        str | None, Header(description="Where a stream resumes: the `seq` that was seen last.")
    ] = None,
) -> Any:
    """Show a job's log. With `Accept: text/event-stream` it is live, and ends after the terminal event."""
    if negotiate(request, [JSON, STREAM]) == STREAM:
        parameter, after = "after", query.after
        if last_event_id:  # the standard begins with an empty one
            parameter, after = LAST_EVENT_ID, read_last_event_id(last_event_id)
        state_behind(services.store, tenant, job_id, after, parameter)
        stream = EventStream(services, tenant, job_id, after)
        if stream.has_ended():
            return Response(status_code=204, headers={"Vary": "Accept"})
        return EventSourceResponse(stream.lines(), headers=_STREAM_HEADERS)
    response.headers["Vary"] = "Accept"
    # The state is read first: so if it is terminal, the page includes the last record.
    state = state_behind(services.store, tenant, job_id, query.after)
    rows = services.store.records(tenant, job_id, query.after, query.limit + 1)
    data = [show_event(row) for row in rows[: query.limit]]
    next_after = data[-1].seq if data else query.after
    return EventPage(data=data, next_after=next_after, has_more=len(rows) > query.limit, state=state)
