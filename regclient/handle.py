"""What the handles of a job and of a sweep have in common: fields as last seen, and waiting for the end."""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self
from urllib.parse import quote

from regclient.errors import WaitTimeoutError
from regclient.transport import JSONObject, Transport

TERMINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
PAGE_SIZE = 200
POLL_FIRST_S = 0.1
POLL_MAX_S = 0.5


class Handle:
    """Something on the server, as last seen.

    Every field of it is an attribute; those that a newer server adds are too. `refresh` looks again; `body` is the
    whole JSON.
    """

    kind: ClassVar[str]
    """What people call it."""
    collection: ClassVar[str]
    """Its part of the path."""
    detail_fields: ClassVar[frozenset[str]] = frozenset()
    """Lists leave these out; reading one fetches the whole."""

    id: str
    name: str | None
    labels: dict[str, str]
    state: str
    created_at: str
    finished_at: str | None
    links: JSONObject

    def __init__(self, transport: Transport, body: JSONObject) -> None:
        self._transport = transport
        self.body = body

    def __getattr__(self, field: str) -> Any:
        # Only reached for what no attribute or method answers. `body` is absent while a copy is made.
        body = self.__dict__.get("body", {})
        if field in self.detail_fields and field not in body and "id" in body:
            body = self.refresh().body
        if field in body:
            return body[field]
        raise AttributeError(f"A {self.kind} has no field {field!r}.")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.state}>"

    @property
    def done(self) -> bool:
        """Whether the last look saw it ended: succeeded, failed or cancelled."""
        return self.state in TERMINAL_STATES

    def refresh(self) -> Self:
        """Look again."""
        self.body = self._transport.request("GET", self._path()).json()
        return self

    def cancel(self) -> Self:
        """Ask for its end.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return self._act("cancel")

    def delete(self) -> None:
        """Remove it and all that it made; only once it has ended."""
        self._transport.request("DELETE", self._path())

    def _wait(self, timeout_s: float | None, show: Callable[[JSONObject], None]) -> Self:
        """Look again and again, and show what is seen, until it has ended.

        Raises:
            WaitTimeoutError: It has not ended in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        pause_s = POLL_FIRST_S
        while True:
            show(self.refresh().body)
            if self.done:
                return self
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeoutError(self.id, self.state, timeout_s or 0.0)
            left_s = POLL_MAX_S if deadline is None else max(0.0, deadline - time.monotonic())
            time.sleep(min(pause_s, left_s))
            pause_s = min(POLL_MAX_S, pause_s * 1.5)

    def _act(self, action: str) -> Self:
        # Asking twice has the same effect as once, so the transport's retries need no Idempotency-Key here.
        self.body = self._transport.request("POST", self._path(action)).json()
        return self

    def _get(self, tail: str, params: JSONObject | None = None) -> JSONObject:
        found: JSONObject = self._transport.request("GET", self._path(tail), params=params).json()
        return found

    def _path(self, *tail: str) -> str:
        return path_of(self.collection, self.id, *tail)

    def _rows(self, tail: str, params: JSONObject) -> Iterator[JSONObject]:
        return rows(self._transport, self._path(tail), params)


def path_of(*parts: str) -> str:
    """The address of something on the server, whatever its id looks like."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def rows(transport: Transport, path: str, params: JSONObject) -> Iterator[JSONObject]:
    """Every row of a list, page after page; stop iterating and no further page is fetched."""
    while True:
        page = transport.request("GET", path, params=params).json()
        yield from page["data"]
        if not page["has_more"]:
            return
        params = {**params, "after": page["next_after"]}


def idempotency_header(key: str | None = None) -> dict[str, str]:
    """The header of a POST that makes something; with a key of its own if none is given."""
    return {"Idempotency-Key": key or secrets.token_hex(16)}
