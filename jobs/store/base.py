"""The base of every part of the store: the database and a few settings."""

from dataclasses import dataclass

from jobs.database import Database


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """The settings that the store depends on."""

    lease_s: float
    max_attempts: int
    reconcile_interval_s: float
    idempotency_ttl_s: float
    priority_step_s: float
    server_secret: bytes


class Concern:
    """A part of the store."""

    def __init__(self, database: Database, options: StoreOptions) -> None:
        self._database = database
        self._options = options
