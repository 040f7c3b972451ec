from collections.abc import Callable

import pytest
from sqlalchemy import select

from jobs.database import Database
from jobs.model import Capabilities, Job
from jobs.store import Store
from jobs.store.plugins import needs_only, plugins_as_text, plugins_from_text
from jobs.tables import jobs


@pytest.mark.parametrize("names", [[], ["acme"], ["acme", "zeta-2.x"]])
def test_names_are_read_as_they_are_written(names: list[str]) -> None:
    assert plugins_from_text(plugins_as_text(names)) == set(names)


def test_the_order_and_repetitions_of_names_do_not_matter() -> None:
    assert plugins_as_text(["zeta", "acme", "zeta"]) == plugins_as_text(["acme", "zeta"])


@pytest.mark.parametrize(
    ("needed", "installed", "takes"),
    [
        ([], [], True),
        ([], ["acme"], True),
        (["acme"], [], False),
        (["acme"], ["acme"], True),
        (["acme"], ["zeta", "acme"], True),
        (["acme", "zeta"], ["acme"], False),
        (["acme", "beta", "zeta"], ["zeta", "acme"], False),
        (["acme", "beta", "zeta"], ["zeta", "beta", "acme"], True),
        (["acme-more"], ["acme"], False),
        (["acme"], ["acme-more"], False),
        (["acme"], ["ACME"], False),
    ],
)
def test_a_worker_takes_a_job_whose_plugins_it_has(
    store: Store,
    submit: Callable[..., Job],
    database: Database,
    needed: list[str],
    installed: list[str],
    takes: bool,
) -> None:
    submit(plugins=needed)
    capabilities = Capabilities(frozenset({"cpu"}), plugins=frozenset(installed))

    with database.read() as connection:
        found = connection.execute(select(jobs.c.id).where(needs_only(installed))).all()

    assert capabilities.can_take("auto", None, needed) is takes
    assert bool(found) is takes
    assert (store.claim("wrk_1", capabilities) is not None) is takes
