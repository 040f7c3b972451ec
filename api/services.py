"""The services that routes use, opened once for the process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from api.table_cache import TableCache
from jobs.artifacts import ArtifactStore
from jobs.first_key import ensure_first_key
from jobs.live import Notifier, Wakeups
from jobs.migrate import migrate_embedded
from jobs.queue import make_publisher, publish
from jobs.settings import Settings
from jobs.store import Store, open_store
from regcore.plan import Ceilings


@dataclass(slots=True)
class Shutdown:
    """Whether the server was told to stop: what would go on for as long as a job ends then, and its clients resume."""

    requested: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """The store, the artifacts, and the two kinds of hints."""

    settings: Settings
    store: Store
    artifacts: ArtifactStore
    publish: Callable[[str], bool]
    """Tells the workers about a new job, if Redis is available."""
    notifier: Notifier
    wakeups: Wakeups
    shutdown: Shutdown = field(default_factory=Shutdown)
    tables: TableCache = field(default_factory=TableCache)

    @property
    def ceilings(self) -> Ceilings:
        """The largest job."""
        of = self.settings
        return Ceilings(epochs=of.max_epochs, parameters=of.max_parameters, steps=of.max_steps)

    def url(self, path: str) -> str:
        """Return the URL of a path, as users reach it."""
        return (self.settings.public_url or "").rstrip("/") + path

    async def close(self) -> None:
        """Close every connection."""
        await self.wakeups.close()
        self.notifier.close()
        self.store.close()


def open_services(settings: Settings) -> Services:
    """Open the store, migrate an embedded one, and make sure that a key exists.

    Raises:
        UnmigratedDatabaseError: The database is not of this version.
        StoreUnavailableError: The database does not answer.
    """
    migrate_embedded(settings)
    store = open_store(settings)
    ensure_first_key(store, settings)
    return Services(
        settings=settings,
        store=store,
        artifacts=ArtifactStore(settings.artifacts_dir),
        publish=partial(publish, make_publisher(settings)),
        notifier=Notifier(settings),
        wakeups=Wakeups(settings),
    )


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


TheServices = Annotated[Services, Depends(_services)]
"""The services, as a route's parameter."""
