"""What every concern of the store has: the database, and the few settings that it decides by."""

from dataclasses import dataclass

from jobs.database import Database


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """The settings that the store decides by."""

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
