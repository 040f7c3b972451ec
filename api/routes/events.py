"""A job's log: a page, or live."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse

from api import examples
from api.auth import TheTenant
from api.documents import problems
from api.errors import parameter_problem
from api.negotiation import JSON, negotiate
from api.queries import MAX_SEQ, EventsQuery
from api.services import TheServices
from api.sse import EventStream
from api.views import EventPage, show_event

STREAM = "text/event-stream"

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

# Proxies such as nginx would otherwise gather events before they pass them on.
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Vary": "Accept"}
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
        204: {"description": "The client that reconnects has already had the terminal event"},
    },
)
def job_events(
    request: Request,
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
        after = query.after if last_event_id is None else _sequence_number(last_event_id)
        stream = EventStream(services, tenant, job_id, after)
        has_ended = stream.has_ended()
        if has_ended and last_event_id is not None:
            return Response(status_code=204)
        return EventSourceResponse(stream.lines(), headers=_STREAM_HEADERS)
    # The state is read first: a page that calls the job ended has then seen its last record.
    state = services.store.state(tenant, job_id)
    rows = services.store.records(tenant, job_id, query.after, query.limit + 1)
    data = [show_event(row) for row in rows[: query.limit]]
    next_after = data[-1].seq if data else query.after
    return EventPage(data=data, next_after=next_after, has_more=len(rows) > query.limit, state=state)


def _sequence_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_SEQ):
        message = f"Last-Event-ID must be the id of an event, a number; received {text!r:.80}. Leave it out to start."
        raise parameter_problem("Last-Event-ID", message)
    return int(text)
