"""The exceptions of the client, as one tree.

RegClientError
├── UsageError                  an argument, a variable or a file cannot be used; also a ValueError
├── ClientClosedError           the client was closed; also a RuntimeError
├── ServerUnreachableError      no answer: not running, wrong URL, network
├── WaitTimeoutError            the job, sweep or request took too long; also a TimeoutError
├── JobFailedError              the job ended as failed or cancelled
├── SweepFailedError            the sweep ended as failed or cancelled
├── DatasetInvalidError         the uploaded file cannot be read as a data set
├── FileChangedError            the file changed while it was sent; also an OSError
├── IntegrityError              a downloaded file is not what the server announced, or the server's own is damaged
└── APIError                    the server answered with a problem (RFC 9457)
    ├── InvalidRequestError     400, 413, 415, 422: the request is wrong; `.errors` names the fields
    │   └── InvalidBodyError    the same, before sending: a value has no form in JSON; also a ValueError
    ├── NotAllowedError         401, 403: no key, a wrong key, or one without this scope
    ├── NotFoundError           404, 410: no such thing, or not yours
    │   └── InvalidIdError      the same, before sending: this is not an id; also a ValueError
    ├── ConflictError           409, 412: the job's state does not allow it
    ├── UnavailableError        408, 429, 502, 503, 504: still busy or away after every retry
    └── UnexpectedAnswerError   not what a RegCore server answers: a redirect, a sign-in page, another service
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class RegClientError(Exception):
    """Base of everything that regclient raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception's own __reduce__ would call the class with the message alone, which these classes do not accept.
        # Errors are pickled when a process pool returns them.
        return _restored, (type(self), str(self), vars(self))


def _restored(kind: type[RegClientError], message: str, fields: Mapping[str, Any]) -> RegClientError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    vars(error).update(fields)
    return error


class UsageError(RegClientError, ValueError):
    """An argument, a variable of the environment or a file cannot be used. Nothing was sent."""


class ClientClosedError(RegClientError, RuntimeError):
    """The client was closed before this call."""

    def __init__(self) -> None:
        super().__init__("This client is closed. Make another: `Client()`.")


class KeyInClearWarning(UserWarning):
    """The key is sent over plain http to another machine, so that everybody on the way can read it."""


class ServerUnreachableError(RegClientError):
    """No HTTP answer came from the server."""

    def __init__(self, url: str, cause: Exception, *, proxy: str | None = None) -> None:
        remedy = "Start a server with `regcore up`, or set REGCORE_URL to a running one."
        if proxy is not None:
            remedy = f"The environment names the proxy {proxy} for it; NO_PROXY names hosts that need none."
        super().__init__(f"No answer from {url} ({cause}). {remedy}")
        self.url = url


class WaitTimeoutError(RegClientError, TimeoutError):
    """The job, sweep or data set did not end in time (it goes on), or a request was not answered in time.

    Args:
        awaited_id: The job, sweep or data set; None for any other request.
        state: Its last known state.
        timeout_s: The limit that was exceeded.
        url: The server, if it did not answer.
    """

    def __init__(self, awaited_id: str | None, state: str | None, timeout_s: float, *, url: str | None = None) -> None:
        if awaited_id is None:
            message = f"No answer from {url} within {timeout_s:g} s."
        elif url is not None:
            message = f"Nothing came from {url} within {timeout_s:g} s. {awaited_id} was {state} when last seen."
        else:
            remedy = "wait again" if awaited_id.startswith("ds_") else "wait again or cancel it"
            message = f"{awaited_id} is still {state} after {timeout_s:g} s. It goes on; {remedy}."
        super().__init__(message)
        self.awaited_id = awaited_id
        self.state = state
        self.timeout_s = timeout_s
        self.url = url


class JobFailedError(RegClientError):
    """The job ended as failed or cancelled."""

    def __init__(self, job_id: str, state: str, reason: Mapping[str, Any] | None) -> None:
        super().__init__(f"{job_id} {state}{': ' + explain_reason(reason) if reason else ''}")
        self.job_id = job_id
        self.state = state
        self.reason = dict(reason) if reason else None


class SweepFailedError(RegClientError):
    """The sweep ended as failed, which means that every member failed, or as cancelled."""

    def __init__(self, sweep_id: str, state: str) -> None:
        reasons = f" `regcore jobs --sweep {sweep_id}` shows its members." if state == "failed" else ""
        super().__init__(f"{sweep_id} {state}.{reasons}")
        self.sweep_id = sweep_id
        self.state = state


class DatasetInvalidError(RegClientError):
    """The server could not read the file as a data set; `.reason` says why, with row and column where there is one.

    Args:
        dataset_id: The data set.
        name: What it is called.
        reason: Its `state_reason`.
        was_held: Whether the server had read this file before, so that it was not sent.
    """

    def __init__(
        self, dataset_id: str, name: str | None, reason: Mapping[str, Any] | None, *, was_held: bool = False
    ) -> None:
        said = explain_reason(reason) + place_of_reason(reason) if reason else "the server gives no reason"
        again = f" It was read before: after `regcore datasets delete {dataset_id}` it would be read anew."
        named = f"{dataset_id} ({name})" if name else dataset_id
        super().__init__(f"{named} is invalid: {said}{again if was_held else ''}")
        self.dataset_id = dataset_id
        self.reason = dict(reason) if reason else None


class FileChangedError(RegClientError, OSError):
    """The file changed between being read and being sent. The server keeps nothing of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} changed while it was sent; nothing of it was kept. Send it again once it is complete."
        )
        self.path = path


class IntegrityError(RegClientError):
    """An artifact was damaged on the server or on its way, or its name is not a plain file name.

    Attributes:
        names: The artifacts concerned.
        saved: The files of the other artifacts.
    """

    def __init__(self, message: str, names: Sequence[str], saved: Sequence[Path] = ()) -> None:
        super().__init__(message)
        self.names = list(names)
        self.saved = list(saved)


class APIError(RegClientError):
    """A problem+json answer.

    The answer may come from a proxy, or from an attacker: no body makes the constructor fail.

    Attributes:
        status: The HTTP status.
        code: The problem's code, `urn:regcore:problem:<code>` without the prefix.
        problem: The whole body as received.
        errors: The faults by place: `[{pointer | parameter, code, message}]`.
        request_id: The id by which the operator finds the request in the logs.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("type") or "about:blank").rpartition(":")[2]
        listed = problem.get("errors")
        entries = listed if isinstance(listed, list) else []
        self.errors: list[dict[str, Any]] = [dict(entry) for entry in entries if isinstance(entry, Mapping)]
        request_id = problem.get("request_id")
        self.request_id: str | None = request_id if isinstance(request_id, str) else None
        super().__init__(self._describe())

    def _describe(self) -> str:
        lines = [f"{self.status} {self.problem.get('title') or self.code}"]
        detail = self.problem.get("detail")
        placed = [(entry.get("pointer") or entry.get("parameter"), entry) for entry in self.errors]
        # A sentence is said once: beside its place, if it has one.
        if detail and not any(place and entry.get("message") == detail for place, entry in placed):
            lines[0] += f": {detail}"
        for place, entry in placed:
            if place or entry.get("message") != detail:
                lines.append(f"  {place or '(the whole body)'}: {entry.get('message', entry.get('code', ''))}")
        if self.status >= 500 and self.request_id:
            lines.append(f"  request {self.request_id}")
        return "\n".join(lines)


class InvalidRequestError(APIError):
    """The request is wrong; `.errors` names the fields."""


class InvalidBodyError(InvalidRequestError, ValueError):
    """A value has no form in JSON. Nothing was sent; `.errors` names the places."""

    def __init__(self, errors: Sequence[Mapping[str, str]]) -> None:
        title = "This cannot be sent as JSON"
        super().__init__(422, {"type": "urn:regcore:problem:invalid_body", "title": title, "errors": list(errors)})


class NotAllowedError(APIError):
    """No key, a wrong key, or a key without the scope for this."""

    def _describe(self) -> str:
        remedy = "Set REGCORE_API_KEY, or run this where `regcore up` keeps its data directory (REGCORE_DATA_DIR)."
        return super()._describe() + (f"\n  {remedy}" if self.status == 401 else "")


class NotFoundError(APIError):
    """There is no such thing, or it belongs to another tenant."""


class InvalidIdError(NotFoundError, ValueError):
    """This is not an id. Nothing was sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(404, {"type": "urn:regcore:problem:not_found", "title": "Not found", "detail": detail})


class ConflictError(APIError):
    """The state of the job does not allow this."""


class UnavailableError(APIError):
    """The server or its database was busy or away, through every retry."""


class UnexpectedAnswerError(APIError):
    """The answer is not one of a RegCore server: a redirect, a sign-in page, or that of another service.

    Args:
        status: The HTTP status.
        url: The URL that was requested.
        came: What came instead, in words.
    """

    def __init__(self, status: int, url: str, came: str) -> None:
        detail = f"{url} answered with {came}. Set REGCORE_URL to a RegCore server, or sign in to the proxy."
        super().__init__(
            status, {"type": "urn:regcore:problem:unexpected_answer", "title": "Unexpected answer", "detail": detail}
        )
        self.url = url


_ERROR_BY_STATUS: dict[int, type[APIError]] = {
    400: InvalidRequestError,
    401: NotAllowedError,
    403: NotAllowedError,
    404: NotFoundError,
    408: UnavailableError,
    409: ConflictError,
    410: NotFoundError,
    412: ConflictError,
    413: InvalidRequestError,
    415: InvalidRequestError,
    422: InvalidRequestError,
    429: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def error_from_problem(status: int, problem: Mapping[str, Any]) -> APIError:
    """Return the exception for a problem. Its class depends on the status; by default it is APIError."""
    return _ERROR_BY_STATUS.get(status, APIError)(status, problem)


def explain_reason(reason: Mapping[str, Any]) -> str:
    """Return a job's state_reason as one line: code, message, remedy."""
    message = f"{reason.get('code', 'unknown')}: {reason.get('message', '')}".rstrip(": ")
    return f"{message} {reason['remedy']}" if reason.get("remedy") else message


def place_of_reason(reason: Mapping[str, Any]) -> str:
    """Return where in the file a reason points to, unless its message says it: ` (line 7, row 6, column 'age')`."""
    details = reason.get("details")
    found = details if isinstance(details, Mapping) else {}
    message = str(reason.get("message", ""))
    places = [
        f"{field} {found[field]!r}"
        for field in ("line", "row", "column")
        if found.get(field) is not None and str(found[field]) not in message
    ]
    return f" ({', '.join(places)})" if places else ""
