"""Every error as an RFC 9457 problem, and the one table of their statuses."""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.responses import Response

from jobs.errors import (
    ArtifactDamagedError,
    ArtifactNotFoundError,
    DatasetNotFoundError,
    IdempotencyBusyError,
    IdempotencyMismatchError,
    IllegalActionError,
    InvalidCursorError,
    JobNotFoundError,
    JobsError,
    StoreUnavailableError,
    SweepNotFoundError,
    VersionChangedError,
)
from jobs.outages import Outage
from regcore.errors import MAX_ERRORS, FieldError, SpecError, short_pointer

PROBLEM_MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:regcore:problem:"
RETRY_AFTER_S = 2
NOT_READY = "dataset_not_ready"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What a code stands for."""

    status: int
    title: str


PROBLEMS: Mapping[str, ProblemKind] = {
    "invalid_json": ProblemKind(400, "The body is not JSON"),
    "invalid_range": ProblemKind(400, "The Range header cannot be read"),
    "bad_request": ProblemKind(400, "The request cannot be read"),
    "body_too_slow": ProblemKind(400, "The body comes too slowly"),
    "unauthorized": ProblemKind(401, "A valid API key is needed"),
    "foreign_host": ProblemKind(403, "This server does not answer to that host name"),
    "foreign_origin": ProblemKind(403, "Requests from other sites are refused"),
    "not_found": ProblemKind(404, "There is nothing here"),
    "job_not_found": ProblemKind(404, "There is no such job"),
    "sweep_not_found": ProblemKind(404, "There is no such sweep"),
    "dataset_not_found": ProblemKind(404, "There is no such data set"),
    "artifact_not_found": ProblemKind(404, "There is no such artifact"),
    "report_not_found": ProblemKind(404, "The job has no report"),
    "method_not_allowed": ProblemKind(405, "The method is not allowed here"),
    "not_acceptable": ProblemKind(406, "No such representation"),
    "illegal_action": ProblemKind(409, "The state does not allow this"),
    "not_of_this_sweep": ProblemKind(409, "The sweep has nothing of that kind"),
    "dataset_not_ready": ProblemKind(409, "The data set is still being read"),
    "idempotency_busy": ProblemKind(409, "A request with this Idempotency-Key is being served"),
    "precondition_failed": ProblemKind(412, "It is another version by now"),
    "body_too_large": ProblemKind(413, "The body is too large"),
    "unsupported_media_type": ProblemKind(415, "The body's media type is not supported"),
    "range_not_satisfiable": ProblemKind(416, "The range lies outside the file"),
    "invalid_spec": ProblemKind(422, "The spec is not valid"),
    "invalid_body": ProblemKind(422, "The body is not valid"),
    "invalid_parameter": ProblemKind(422, "A parameter is not valid"),
    "idempotency_mismatch": ProblemKind(422, "The Idempotency-Key was used for another request"),
    "artifact_damaged": ProblemKind(500, "The server's copy of the file is damaged"),
    "internal_error": ProblemKind(500, "The server failed"),
    "unavailable": ProblemKind(503, "The server cannot answer for now"),
    "disk_full": ProblemKind(503, "The server's disk is full"),
}


@dataclass(frozen=True, slots=True)
class ParameterError:
    """A wrong query parameter or header."""

    parameter: str
    code: str
    message: str


class WrongParameterError(ValueError):
    """A wrong parameter; the others are still read, so that all errors are reported together.

    Args:
        message: What was expected, what came, what to do.
        code: Stable word for programs.
    """

    def __init__(self, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.code = code


class ProblemError(Exception):
    """Ends a request with a problem.

    Args:
        code: A key of `PROBLEMS`.
        detail: What was expected, what came, what to do.
        errors: The wrong places, if there are any; at most `MAX_ERRORS` are shown.
        headers: Further response headers.
        num_left_off: How many more wrong places there are.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Iterable[FieldError | ParameterError] = (),
        headers: Mapping[str, str] | None = None,
        num_left_off: int = 0,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        given = tuple(errors)
        self.errors = given[:MAX_ERRORS]
        self.num_left_off = num_left_off + len(given) - len(self.errors)
        self.headers = dict(headers or {})


def parameter_problem(parameter: str, message: str, code: str = "invalid_value") -> ProblemError:
    """Return the problem of one wrong parameter."""
    return ProblemError("invalid_parameter", message, [ParameterError(parameter, code, message)])


def from_spec_error(error: SpecError, code: str = "invalid_spec") -> ProblemError:
    """Return a refused spec as a problem; one whose only fault is that its data are still being read may come again."""
    if not error.num_left_off and {one.code for one in error.errors} == {NOT_READY}:
        return ProblemError(NOT_READY, _sum_up(error), error.errors, {"Retry-After": str(RETRY_AFTER_S)})
    return ProblemError(code, _sum_up(error), error.errors, num_left_off=error.num_left_off)


def from_jobs_error(error: JobsError) -> ProblemError:
    """Return an error of the store as a problem; raise it again if it is a bug of ours."""
    detail = str(error)
    retry = {"Retry-After": str(RETRY_AFTER_S)}
    match error:
        case JobNotFoundError():
            return ProblemError("job_not_found", f"{detail} Look it up with GET /v1/jobs.")
        case SweepNotFoundError():
            return ProblemError("sweep_not_found", f"{detail} Look it up with GET /v1/sweeps.")
        case DatasetNotFoundError():
            return ProblemError("dataset_not_found", f"{detail} Look it up with GET /v1/datasets.")
        case ArtifactNotFoundError():
            return ProblemError("artifact_not_found", detail)
        case ArtifactDamagedError():
            remedy = "Run the job again, or have the operator restore the file: `regcore doctor --artifacts` finds it."
            return ProblemError("artifact_damaged", f"{detail} {remedy}")
        case IllegalActionError():
            return ProblemError("illegal_action", detail)
        case VersionChangedError():
            return ProblemError(
                "precondition_failed", detail, [ParameterError("If-Match", "precondition_failed", detail)]
            )
        case InvalidCursorError():
            return parameter_problem("after", detail, "invalid_cursor")
        case IdempotencyMismatchError():
            wrong = ParameterError("Idempotency-Key", "idempotency_mismatch", detail)
            return ProblemError("idempotency_mismatch", detail, [wrong])
        case IdempotencyBusyError():
            return ProblemError("idempotency_busy", detail, headers=retry)
        case StoreUnavailableError():
            code = "disk_full" if error.outage is Outage.DISK_FULL else "unavailable"
            return ProblemError(code, detail, headers=retry)
    raise error


def suggest(received: str, known: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?` if a known word is close, else nothing."""
    close = difflib.get_close_matches(received, list(known), n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else ""


def problem_response(problem: ProblemError, path: str, request_id: str) -> Response:
    """Write a problem."""
    kind = PROBLEMS[problem.code]
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + problem.code,
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "instance": path,
        "request_id": request_id,
        "errors": [_show(error) for error in problem.errors],
    }
    if problem.num_left_off:
        body["num_errors_left_off"] = problem.num_left_off
    # ASCII, because the answer may quote a client's text with half a surrogate pair in it.
    content = json.dumps(body, ensure_ascii=True, allow_nan=False)
    return Response(content, kind.status, problem.headers, PROBLEM_MEDIA_TYPE)


def request_id_of(request: Request) -> str:
    """The request's id, as the guard chose it."""
    return str(request.state.request_id)


def _show(error: FieldError | ParameterError) -> dict[str, str]:
    where = (
        {"pointer": short_pointer(error.pointer)} if isinstance(error, FieldError) else {"parameter": error.parameter}
    )
    return {**where, "code": error.code, "message": error.message}


def _sum_up(error: SpecError) -> str:
    num_more = len(error.errors) - 1 + error.num_left_off
    listed = f"the first {len(error.errors)} are in errors" if error.num_left_off else "see errors"
    return error.errors[0].message + (f" And {num_more:,} more: {listed}." if num_more else "")
