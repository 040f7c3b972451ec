"""Handles every request before and after its route: id, host and origin, headers, log line, unexpected errors."""

import re
import time
from contextlib import suppress

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import ProblemError, problem_response
from api.http.fields import in_one_form, refuse_doubled
from api.http.hosts import HostRules
from jobs.ids import new_id
from jobs.logs import get_logger

HEADER = "X-Request-ID"
PROBE_PATHS = frozenset({"/healthz", "/readyz"})
"""Probes call by address and get no data, so any host name is accepted."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_SLOW_S = 1.0

_logger = get_logger(__name__)


class Guard:
    """Our outermost ASGI layer."""

    def __init__(self, app: ASGIApp, rules: HostRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = in_one_form(scope)
        exchange = _Exchange(scope, send)
        if exchange.is_head:
            scope = _as_get(scope)
        with structlog.contextvars.bound_contextvars(request_id=exchange.request_id):
            refusal = self._check(scope)
            try:
                if refusal is None:
                    await self._app(scope, receive, exchange.send)
                else:
                    await exchange.refuse(refusal, receive)
            except _HeadSent:
                pass  # the answer's head is out, and nothing comes after it
            except ClientDisconnect:
                pass  # in the middle of its body: nobody is left to answer, and nothing of ours has failed
            except Exception:
                _logger.exception("request_failed", method=scope["method"], path=scope["path"])
                if exchange.status is not None:
                    raise  # A part of the answer is sent: the server must break the connection.
                detail = f"The server failed. Tell its operator the request id {exchange.request_id}."
                await exchange.refuse(ProblemError("internal_error", detail), receive)
            finally:
                exchange.log()

    def _check(self, scope: Scope) -> ProblemError | None:
        """Return why a request is refused before any route sees it, or None."""
        if b"%2f" in scope.get("raw_path", b"").partition(b"?")[0].lower():
            # Routes see the path decoded, where jobs/x%2Fcancel would be the action of another path.
            detail = "No name in a path has a slash in it, and %2F is one. Write / between names, and nowhere else."
            return ProblemError("not_found", detail)
        if scope["path"] in PROBE_PATHS:
            return None
        return refuse_doubled(scope["headers"]) or self._rules.check(Headers(scope=scope))


class _HeadSent(Exception):
    """The head of the answer to a HEAD is out."""


def _as_get(scope: Scope) -> Scope:
    """The same request as a GET: what a HEAD is answered with is that answer's head (RFC 9110, §9.3.2).

    `Range` is of GET alone (§14.2).
    """
    headers = [(name, value) for name, value in scope["headers"] if name not in (b"range", b"if-range")]
    return {**scope, "method": "GET", "headers": headers}


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send) -> None:
        given = Headers(scope=scope).get(HEADER, "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else new_id("req")
        self.status: int | None = None
        self.is_head = scope["method"] == "HEAD"
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self.request_id
            headers.setdefault("Cache-Control", "no-store")
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)
        if self.is_head:
            await self._send({"type": "http.response.body", "body": b""})
            raise _HeadSent

    async def refuse(self, problem: ProblemError, receive: Receive) -> None:
        response = problem_response(problem, self._scope["path"], self.request_id)
        with suppress(_HeadSent):
            await response(self._scope, receive, self.send)

    def log(self) -> None:
        # Only the path: a query may contain what must not be in a log.
        duration_s = time.perf_counter() - self._started
        client = (self._scope.get("client") or ("",))[0]  # none through a unix socket
        fields = {"method": self._scope["method"], "path": self._scope["path"], "status": self.status, "client": client}
        level = _logger.info if self._is_news(duration_s) else _logger.debug
        level("request", **fields, duration_ms=round(duration_s * 1000, 1))

    def _is_news(self, duration_s: float) -> bool:
        """Whether an operator wants to read of it: a client that waits reads the same job several times a second."""
        if self._scope["path"] in PROBE_PATHS:
            return False
        has_failed = self.status is None or self.status >= 400
        return has_failed or self._scope["method"] not in _READING or duration_s >= _SLOW_S
