"""The Python SDK and the `regcore` command line.

Here live the HTTP client (`Client`, `Job`, `Sweep`), the typer application, the embedded stack (`regcore up`) and the
demo. Nothing here imports torch, fastapi, sqlalchemy or celery: servers are started as processes, and the
engine is imported inside the one function that needs it. `import regclient` itself takes no time: what a name needs is
imported with it, so that the command line can answer Ctrl-C from its first moment.

Where things are, from what a user holds down to the socket:

- SDK: `client` (Client, Jobs), `job`, `sweep`; what both handles share is `handle`. `errors` has every exception.
- A request on its way: `ids`, `filters` and `bodies` check what a script gives; `transport` sends it, by the policy
  of `retries`, within `deadline`, through `proxies` and `sockets`, to where `connection` found the server; `answers`
  checks what comes back. `downloads` saves artifacts.
- Command line: `cli` (main, exit codes), the commands by kind in `cli_jobs`, `cli_sweeps`, `cli_look`, `cli_server`;
  what they share in `cli_options`, which job is meant in `cli_ids`, signals in `following`.
- What users hand to it: `json_input`, `spec_settings` (--set, --seeds), `spec_changes` (what a spec sets).
- What they see: `terminal` (streams, encodings), `output` (lines, JSON), `progress` (bars), `tables` (any table),
  `job_tables`, `report_tables`; of sweeps `sweep_pages`, put together from `sweep_views` (numbers), `sweep_words`
  (sentences), `sweep_tables`, `terminal_plot` and `sweep_plots` (pictures).
- Everything on this machine: `up`, `process`, `ports`, `server_settings`, `embedded_redis`, `doctor`;
  `demo` and `demo_report`.
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
    "Client": "regclient.client",
    "Job": "regclient.job",
    "Jobs": "regclient.client",
    "Sweep": "regclient.sweep",
    "Sweeps": "regclient.sweep",
}
"""The module of each name that is not one of `regclient.errors`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'regclient' has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, "regclient.errors")), name)


def __dir__() -> list[str]:
    return __all__
