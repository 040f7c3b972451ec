"""Authentication: one dependency of the whole app. Operations without a key are marked, never matched by path."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.http.errors import ProblemError
from api.services import TheServices
from jobs.model import Principal

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

_BEARER = HTTPBearer(
    scheme_name="ApiKey",
    auto_error=False,
    description="`Authorization: Bearer rc_…`; the first key is in `{data_dir}/api-key`.",
)
_OPEN: set[Callable[..., Any]] = set()


def needs_no_key(endpoint: Endpoint) -> Endpoint:
    """Let anyone call this operation."""
    _OPEN.add(endpoint)
    return endpoint


def open_endpoints() -> frozenset[Callable[..., Any]]:
    """Every operation that needs no key."""
    return frozenset(_OPEN)


def authenticate(
    request: Request,
    services: TheServices,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Principal | None:
    """Return the caller; None only if the operation needs no key.

    Raises:
        ProblemError: The key is missing, unknown, wrong or expired; the answer is the same for all of these.
    """
    if request.scope["endpoint"] in _OPEN:
        return None
    principal = services.store.authenticate(credentials.credentials) if credentials else None
    if principal is None:
        detail = (
            "This call needs `Authorization: Bearer rc_…` with a valid API key. On the server's machine it is in "
            "{data_dir}/api-key; else ask the operator."
        )
        raise ProblemError("unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="regcore"'})
    return principal


def _tenant(principal: Annotated[Principal | None, Depends(authenticate)]) -> str:
    assert principal is not None, "an operation for everyone cannot ask whose jobs"
    return principal.tenant


TheTenant = Annotated[str, Depends(_tenant)]
"""The caller's tenant, as a route's parameter."""
