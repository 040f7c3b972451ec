"""A stack that the tests of this folder share, on each database."""

from collections.abc import Iterator

import pytest
from live_stack import LiveStack, live_stack


@pytest.fixture(scope="module")
def stack(database_url: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """A ready stack."""
    with live_stack(tmp_path_factory.mktemp("stack"), database_url, lease_s=2, reconcile_interval_s=0.2) as stack:
        yield stack
