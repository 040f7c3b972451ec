"""From exceptions to problems: those of routes, of the store, and of FastAPI itself."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.http.errors import (
    ParameterError,
    ProblemError,
    WrongParameterError,
    from_jobs_error,
    from_spec_error,
    problem_response,
    request_id_of,
    suggest,
)
from jobs.errors import JobsError, StoreUnavailableError
from jobs.logs import get_logger
from regcore.errors import SpecError

Handler = Callable[[Request, Any], Awaitable[Response]]

_logger = get_logger(__name__)


def install_handlers(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Make every error of the app a problem.

    Args:
        app: The app.
        routes: All its operations, for the `Allow` of a 405.
    """

    async def http_error(request: Request, error: HTTPException) -> Response:
        if request.method == "OPTIONS":
            allowed = _allowed(request.scope["path"], routes)
            if allowed:
                return Response(status_code=204, headers={"Allow": ", ".join(allowed)})
        return _answer(request, _from_http(request, error, routes))

    app.exception_handler(ProblemError)(_problem)
    app.exception_handler(JobsError)(_jobs_error)
    app.exception_handler(SpecError)(_spec_error)
    app.exception_handler(RequestValidationError)(_validation_error)
    app.exception_handler(HTTPException)(http_error)


def _answer(request: Request, problem: ProblemError) -> Response:
    return problem_response(problem, request.url.path, request_id_of(request))


async def _problem(request: Request, error: ProblemError) -> Response:
    return _answer(request, error)


async def _jobs_error(request: Request, error: JobsError) -> Response:
    if isinstance(error, StoreUnavailableError):
        # The client learns what it can do; the database's own message is for the operator.
        said = getattr(error.__cause__, "orig", None) or error.__cause__ or ""
        _logger.warning("database_unavailable", outage=error.outage.name.lower(), said=str(said))
    return _answer(request, from_jobs_error(error))


async def _spec_error(request: Request, error: SpecError) -> Response:
    return _answer(request, from_spec_error(error))


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    wrong = [_explain(request, one) for one in error.errors()]
    return _answer(request, ProblemError("invalid_parameter", wrong[0].message, wrong))


def _explain(request: Request, error: dict[str, Any]) -> ParameterError:
    name = str(error["loc"][1]) if len(error["loc"]) > 1 else str(error["loc"][0])
    if error["type"] == "extra_forbidden":
        known = _known_parameters(request)
        takes = f"one of {', '.join(known)}" if known else "none"
        message = f"{name!r} is not a parameter here; expected {takes}. Remove it." + suggest(name, known)
        return ParameterError(name, "unknown_parameter", message)
    refusal = error.get("ctx", {}).get("error")
    if isinstance(refusal, WrongParameterError):
        said = str(refusal)
        return ParameterError(name, refusal.code, said if said.startswith(name) else f"{name}: {said}")
    said = error["msg"][0].lower() + error["msg"][1:]
    return ParameterError(name, error["type"], f"{name}: {said}; received {error['input']!r:.80}. Correct it.")


def _known_parameters(request: Request) -> list[str]:
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    return [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]


def _allowed(path: str, routes: Sequence[APIRoute]) -> list[str]:
    """The methods of a path, or of the whole server for `*`; none where nothing is there."""
    found = {m for route in routes if path == "*" or route.path_regex.match(path) for m in route.methods or ()}
    return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set())) if found else []


def _from_http(request: Request, error: HTTPException, routes: Sequence[APIRoute]) -> ProblemError:
    path = request.url.path
    match error.status_code:
        case 404:
            return ProblemError("not_found", f"There is nothing at {path:.200}. GET /openapi.json lists what there is.")
        case 405:
            allowed = _allowed(path, routes)
            detail = f"{request.method:.40} is not allowed at {path:.200}; use {' or '.join(allowed)}."
            return ProblemError("method_not_allowed", detail, headers={"Allow": ", ".join(allowed)})
        case _:
            return ProblemError("bad_request", f"The request cannot be read: {error.detail}.")
