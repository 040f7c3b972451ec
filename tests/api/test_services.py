import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.services import Services, open_services
from jobs.errors import UnmigratedDatabaseError
from jobs.settings import Settings


@contextmanager
def opened(settings: Settings) -> Iterator[Services]:
    services = open_services(settings)
    try:
        yield services
    finally:
        asyncio.run(services.close())


def test_the_first_start_makes_a_store_with_a_key(settings: Settings) -> None:
    with opened(settings) as services:
        token = (settings.data_dir / "api-key").read_text().strip()
        principal = services.store.authenticate(token)

    assert principal is not None
    assert "admin" in principal.scopes


def test_the_next_start_keeps_the_key(settings: Settings) -> None:
    with opened(settings):
        first = (settings.data_dir / "api-key").read_text()

    with opened(settings):
        assert (settings.data_dir / "api-key").read_text() == first


def test_a_database_server_is_not_migrated_by_the_way(settings: Settings, postgres_url: str) -> None:
    elsewhere = settings.model_copy(update={"database_url": postgres_url})

    with pytest.raises(UnmigratedDatabaseError, match="regcore migrate"):
        open_services(elsewhere)


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [(None, "/v1/jobs"), ("https://x.org/", "https://x.org/v1/jobs"), ("https://x.org/r", "https://x.org/r/v1/jobs")],
)
def test_addresses_are_those_that_users_reach(public_url: str | None, expected: str, settings: Settings) -> None:
    with opened(settings.model_copy(update={"public_url": public_url})) as services:
        assert services.url("/v1/jobs") == expected


def test_the_ceilings_are_those_of_the_settings(settings: Settings) -> None:
    small = settings.model_copy(update={"max_epochs": 2, "max_parameters": 3, "max_steps": 4})

    with opened(small) as services:
        ceilings = services.ceilings

    assert (ceilings.epochs, ceilings.parameters, ceilings.steps) == (2, 3, 4)
