"""The Python SDK and the `regcore` command line.

`client`, `job`, `sweep` and `datasets` are the SDK, over the requests of `http`. `cli` is the command line, `display`
what people are shown, `stack` the servers that `regcore up` starts, `demo` the first thing to try.

The package does not import torch, fastapi, sqlalchemy or celery: servers are started as processes, and the engine is
imported inside the one function that needs it. `import regclient` is fast, because each name is imported when it is
first used; so the command line can handle Ctrl-C from its first moment.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regclient.client import Client, Jobs
    from regclient.datasets import Dataset, Datasets
    from regclient.errors import (
        APIError,
        ClientClosedError,
        ConflictError,
        DatasetInvalidError,
        FileChangedError,
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
    "Dataset",
    "DatasetInvalidError",
    "Datasets",
    "FileChangedError",
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
    "Client": "regclient.client",
    "Dataset": "regclient.datasets",
    "Datasets": "regclient.datasets",
    "Job": "regclient.job",
    "Jobs": "regclient.client",
    "Sweep": "regclient.sweep",
    "Sweeps": "regclient.sweep",
}
"""The module of each public name that is not in `regclient.errors`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'regclient' has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, "regclient.errors")), name)


def __dir__() -> list[str]:
    return __all__
