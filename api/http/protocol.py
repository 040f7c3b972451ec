"""Input that is not an HTTP request is answered with a problem, before it reaches the app."""

from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from api.http.errors import ProblemError, problem_response
from api.http.guard import HEADER
from jobs.ids import new_id
from jobs.logs import get_logger

_logger = get_logger(__name__)


class ProblemProtocol(H11Protocol):
    """uvicorn's protocol, with a problem as the answer to malformed requests, to heads of more than 64 KB, and to
    bodies that end before their end."""

    def send_400_response(self, msg: str) -> None:  # uvicorn defines the name
        """Answer with a problem, and close the connection."""
        self._refuse(msg, f"{msg} It is malformed, or its head is larger than 64 KB. Correct the request.")

    def eof_received(self) -> None:
        """Answer a client that sends no more, and may still read, in the middle of its body."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        if cycle is None or not cycle.more_body or cycle.response_started or cycle.disconnected:
            return
        cycle.disconnected = True  # for the app, which answers nobody then
        cycle.message_event.set()
        said = "The body ended before its end."
        self._refuse(said, f"{said} It is shorter than its Content-Length, or lacks its last chunk. Send it again.")

    def _refuse(self, said: str, detail: str) -> None:
        request_id = new_id("req")
        response = problem_response(ProblemError("bad_request", detail), "", request_id)
        response.headers[HEADER] = request_id
        head = h11.Response(
            status_code=response.status_code, headers=[*response.raw_headers, (b"connection", b"close")]
        )
        _logger.info("request_malformed", request_id=request_id, said=said)
        for event in (head, h11.Data(data=bytes(response.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
