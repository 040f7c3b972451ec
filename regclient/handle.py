"""What the handles of jobs, sweeps and data sets share: fields as last fetched, and waiting for the end."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self
from urllib.parse import quote

from regclient.errors import UnexpectedAnswerError, UsageError, WaitTimeoutError
from regclient.filters import Params
from regclient.http.answers import JSONObject
from regclient.http.deadline import Deadline, within
from regclient.http.transport import Transport
from regclient.ids import checked_id, is_id

TERMINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
POLL_FIRST_S = 0.1
POLL_MAX_S = 0.5
MAX_KEY_CHARACTERS = 255

LIST_FIELDS = {"data": list}
_PAGE_FIELDS = {"data": list, "has_more": bool}
_FIELD_KINDS: dict[str, type] = {
    **dict.fromkeys(("name", "created_at", "started_at", "finished_at"), str),
    **dict.fromkeys(("labels", "progress", "result", "state_reason", "sweep", "spec", "counts"), dict),
    **dict.fromkeys(("warnings", "leaderboard", "columns"), list),
    **dict.fromkeys(("num_members", "num_rows", "size_bytes"), int),
}
"""What the fields that are shown to people must be, if they are there."""


class Handle:
    """A job, sweep or data set on the server, as last fetched.

    Every field is an attribute, also those that a newer server adds. `refresh` fetches it again; `body` is the whole
    JSON.
    """

    kind: ClassVar[str]
    """`job`, `sweep` or `data set`, for messages."""
    collection: ClassVar[str]
    """The part of the URL's path that names the kind."""
    detail_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that lists leave out; reading one fetches the whole."""

    terminal_states: ClassVar[frozenset[str]] = TERMINAL_STATES
    """The states that never change."""

    id: str
    name: str | None
    state: str
    created_at: str
    links: JSONObject

    def __init__(self, transport: Transport, body: JSONObject) -> None:
        self._transport = transport
        self.body = self._checked(body)

    @classmethod
    def of_id(cls, transport: Transport, given_id: Any) -> Self:
        """Return a handle for an id; nothing is fetched yet.

        Raises:
            InvalidIdError: It is not an id of this kind.
        """
        handle = cls.__new__(cls)
        handle._transport = transport
        handle.body = {"id": checked_id(cls.kind, given_id)}
        return handle

    def __getattr__(self, field: str) -> Any:
        # Python calls this only if there is no such attribute or method. `body` is missing while a copy is made.
        body = self.__dict__.get("body", {})
        if field in self.detail_fields and field not in body and "id" in body:
            body = self.refresh().body
        if field in body:
            return body[field]
        raise AttributeError(f"A {self.kind} has no field {field!r}.")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.body.get('state', 'not looked at yet')}>"

    @property
    def done(self) -> bool:
        """Whether it was in a state that never changes when last fetched."""
        return self.state in self.terminal_states

    def refresh(self) -> Self:
        """Fetch it again."""
        return self._look()

    def delete(self) -> None:
        """Delete it and all that it made.

        Raises:
            ConflictError: It has not ended, or something that has not ended needs it.
        """
        self._transport.request("DELETE", self._path())

    def _wait(self, timeout_s: float | None, show: Callable[[JSONObject], None]) -> Self:
        """Fetch and show it repeatedly, until it has ended.

        Raises:
            WaitTimeoutError: It did not end in time.
        """
        pause_s = POLL_FIRST_S
        with self._within(Deadline(timeout_s)) as deadline:
            while True:
                show(self._look(patient=True).body)
                if self.done:
                    return self
                if deadline.left_s <= 0:
                    raise WaitTimeoutError(self.id, self.state, deadline.timeout_s)
                deadline.pause(pause_s)
                pause_s = min(POLL_MAX_S, pause_s * 1.5)

    @contextmanager
    def _within(self, deadline: Deadline, heard_state: str | None = None) -> Iterator[Deadline]:
        """Apply a deadline; a WaitTimeoutError from inside is raised again with this job or sweep named.

        Args:
            deadline: The deadline for everything inside.
            heard_state: Its state according to events, if any were received.
        """
        last_seen = self.body
        try:
            with within(deadline) as earliest:
                yield earliest
        except WaitTimeoutError as error:
            if error.awaited_id is not None:
                raise
            silent_url = error.url if self.body is last_seen and heard_state is None else None
            state = heard_state or self.body.get("state")
            raise WaitTimeoutError(self.id, state, error.timeout_s, url=silent_url) from error

    def _look(self, *, patient: bool = False) -> Self:
        return self._see(self._transport.request("GET", self._path(), patient=patient))

    def _act(self, action: str) -> Self:
        # These actions have the same effect twice as once, so the transport can retry them without an Idempotency-Key.
        return self._see(self._transport.request("POST", self._path(action)))

    def _see(self, body: JSONObject) -> Self:
        checked = self._checked(body)
        if checked["id"] != self.id:
            raise self._unexpected(f"the {self.kind} {checked['id']}, where {self.id} was asked for")
        self.body = checked
        return self

    def _checked(self, body: JSONObject) -> JSONObject:
        """Check the server's JSON: the id becomes part of URLs, and `state` decides when a wait ends."""
        if not is_id(self.kind, body.get("id")):
            raise self._unexpected(f"a {self.kind} whose id is not valid: {str(body.get('id'))[:80]!r}")
        if not isinstance(body.get("state"), str):
            raise self._unexpected(f"a {self.kind} without a state")
        for field, kind in _FIELD_KINDS.items():
            if not isinstance(body.get(field), kind | None):
                raise self._unexpected(f"a {self.kind} whose {field} is a {type(body[field]).__name__}")
        return body

    def _unexpected(self, came: str) -> UnexpectedAnswerError:
        return UnexpectedAnswerError(200, self._transport.url, came)

    def _get(self, tail: str, params: Params | None = None) -> JSONObject:
        return self._transport.request("GET", self._path(tail), params=params)

    def _path(self, *tail: str) -> str:
        return path_of(self.collection, self.id, *tail)

    def _rows(self, tail: str, params: Params) -> Iterator[JSONObject]:
        return rows(self._transport, self._path(tail), params)


class Run(Handle):
    """A job or a sweep: it has labels, and ends by itself or is cancelled."""

    labels: dict[str, str]
    finished_at: str | None

    def cancel(self) -> Self:
        """Ask the server to cancel it.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return self._act("cancel")


def path_of(*parts: str) -> str:
    """Return a path of the API; each part is percent-encoded, so that it stays one segment.

    Raises:
        UsageError: A part is empty, `.` or `..`, which change the path even if they are encoded.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise UsageError(f"expected a part of a path, received {part!r}.")
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def rows(transport: Transport, path: str, params: Params, *, patient: bool = False) -> Iterator[JSONObject]:
    """Yield every row of a list. Pages are fetched as the iteration needs them; `patient` as in `Transport.request`."""
    while True:
        page = transport.request("GET", path, params=params, fields=_PAGE_FIELDS, patient=patient)
        yield from page["data"]
        if not page["has_more"]:
            return
        after = page.get("next_after")
        # otherwise the same page would be fetched for ever
        if not isinstance(after, str | int) or after == params.get("after"):
            raise UnexpectedAnswerError(200, transport.url, "a page with has_more and without a new next_after")
        params = {**params, "after": after}


def idempotency_header(key: str | None = None) -> dict[str, str]:
    """Return the Idempotency-Key header of a POST that creates something, with a new key if none is given.

    Raises:
        UsageError: The server would refuse the key.
    """
    if key is None:
        return {"Idempotency-Key": secrets.token_hex(16)}
    given: Any = key
    is_short = isinstance(given, str) and 1 <= len(given) <= MAX_KEY_CHARACTERS
    if not (is_short and given.isascii() and given.isprintable() and given == given.strip()):
        raise UsageError(
            f"idempotency_key: expected 1 to {MAX_KEY_CHARACTERS} printable ASCII characters without spaces around "
            f"them, such as a new UUID; received {key!r:.80}."
        )
    return {"Idempotency-Key": key}
