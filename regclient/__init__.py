"""The Python SDK and the `regcore` command line.

Here live the HTTP client (`Client`, `Job`, `Sweep`), the typer application, the embedded stack (`regcore up`) and the
demo. Nothing here imports torch, fastapi, sqlalchemy or celery: servers are started as processes, and the
engine is imported inside the one function that needs it.
"""

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
