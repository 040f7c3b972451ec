"""The Python SDK and the `regcore` command line.

Here live the HTTP client (`Client`, `Job`, `Sweep`), the typer application, the embedded stack (`regcore up`) and the
demo. Nothing here imports torch, fastapi, sqlalchemy or celery: servers are started as processes, and the
engine is imported inside the one function that needs it. `import regclient` itself takes no time: what a name needs is
imported with it, so that the command line can answer Ctrl-C from its first moment.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regclient.client import Client, Jobs
    from regclient.errors import (
        APIError,
        ClientClosedError,
        ConflictError,
        IntegrityError,
        InvalidBodyError,
        InvalidIdError,
        InvalidRequestError,
        JobFailedError,
        KeyInClearWarning,
        NotAllowedError,
        NotFoundError,
        RegClientError,
        ServerUnreachableError,
        SweepFailedError,
        UnavailableError,
        UnexpectedAnswerError,
        UsageError,
        WaitTimeoutError,
    )
    from regclient.job import Job
    from regclient.sweep import Sweep, Sweeps

__all__ = [
    "APIError",
    "Client",
    "ClientClosedError",
    "ConflictError",
    "IntegrityError",
    "InvalidBodyError",
    "InvalidIdError",
    "InvalidRequestError",
    "Job",
    "JobFailedError",
    "Jobs",
    "KeyInClearWarning",
    "NotAllowedError",
    "NotFoundError",
    "RegClientError",
    "ServerUnreachableError",
    "Sweep",
    "SweepFailedError",
    "Sweeps",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UsageError",
    "WaitTimeoutError",
]

_HOME = {
    "APIError": "regclient.errors",
    "Client": "regclient.client",
    "ClientClosedError": "regclient.errors",
    "ConflictError": "regclient.errors",
    "IntegrityError": "regclient.errors",
    "InvalidBodyError": "regclient.errors",
    "InvalidIdError": "regclient.errors",
    "InvalidRequestError": "regclient.errors",
    "Job": "regclient.job",
    "JobFailedError": "regclient.errors",
    "Jobs": "regclient.client",
    "KeyInClearWarning": "regclient.errors",
    "NotAllowedError": "regclient.errors",
    "NotFoundError": "regclient.errors",
    "RegClientError": "regclient.errors",
    "ServerUnreachableError": "regclient.errors",
    "Sweep": "regclient.sweep",
    "SweepFailedError": "regclient.errors",
    "Sweeps": "regclient.sweep",
    "UnavailableError": "regclient.errors",
    "UnexpectedAnswerError": "regclient.errors",
    "UsageError": "regclient.errors",
    "WaitTimeoutError": "regclient.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'regclient' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
