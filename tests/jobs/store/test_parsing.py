from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from jobs.database import Database
from jobs.model import NewDataset, ParsedTable
from jobs.states import DatasetState, Reason, make_reason
from jobs.store import Store

Make = Callable[..., NewDataset]


@pytest.fixture
def waiting(store: Store, tenant: str, new_dataset: Make) -> str:
    """A data set that nobody has claimed."""
    return store.create_dataset(tenant, new_dataset("rows.csv", header="no")).dataset.id


@pytest.fixture
def expire(database: Database) -> Callable[[], None]:
    """Makes every lease of a data set end in the past, and every delay."""

    def pass_leases() -> None:
        with database.write() as connection:
            connection.execute(text("UPDATE datasets SET lease_until = 1 WHERE lease_until IS NOT NULL"))
            connection.execute(text("UPDATE datasets SET claimable_at = 1"))

    return pass_leases


def test_a_claim_says_what_to_read(store: Store, tenant: str, waiting: str) -> None:
    claim = store.claim_dataset("wrk_1")

    assert claim is not None
    found = store.get_dataset(tenant, waiting)
    assert (claim.id, claim.attempt, claim.tenant, claim.name) == (waiting, 1, tenant, "rows.csv")
    assert (claim.sha256, claim.size_bytes, claim.header, claim.format) == (
        found.sha256,
        found.size_bytes,
        "no",
        "csv",
    )
    assert store.claim_dataset("wrk_2") is None


def test_those_that_wait_longest_are_claimed_first_each_once(store: Store, tenant: str, new_dataset: Make) -> None:
    ids = [store.create_dataset(tenant, new_dataset(content=bytes([place]))).dataset.id for place in range(4)]

    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda place: store.claim_dataset(f"wrk_{place}"), range(8)))

    assert sorted(claim.id for claim in claims if claim is not None) == ids


def test_what_was_found_makes_it_ready(store: Store, tenant: str, waiting: str, parsed: ParsedTable) -> None:
    claim = store.claim_dataset("wrk_1")
    assert claim is not None
    assert store.renew_dataset(claim)

    assert store.finish_dataset(claim, parsed)

    found = store.get_dataset(tenant, waiting)
    assert (found.state, found.state_reason, found.version) == (DatasetState.READY, None, 2)
    assert (found.num_rows, found.num_columns) == (parsed.num_rows, parsed.num_columns)
    assert store.dataset_facts(tenant, waiting) == parsed.facts
    assert found.finished_at is not None
    assert store.preview_dataset(tenant, waiting) == parsed.preview
    table = store.dataset_table(waiting)
    assert table is not None
    assert (table.sha256, table.size_bytes) == (parsed.sha256, parsed.size_bytes)
    assert store.claim_dataset("wrk_1") is None


def test_what_cannot_be_read_is_invalid_with_the_reason(store: Store, tenant: str, waiting: str) -> None:
    claim = store.claim_dataset("wrk_1")
    assert claim is not None
    reason = make_reason(Reason.INVALID_DATA, "Row 3 has 4 cells.", remedy="Correct it.", details={"row": 3})

    assert store.reject_dataset(claim, reason)

    found = store.get_dataset(tenant, waiting)
    assert (found.state, found.state_reason) == (DatasetState.INVALID, reason)
    assert store.dataset_table(waiting) is None
    assert not store.reject_dataset(claim, reason)


@pytest.mark.parametrize("loss", ["expired", "returned", "deleted", "ended"])
def test_writes_of_a_claim_that_was_lost_are_refused(
    store: Store, tenant: str, waiting: str, parsed: ParsedTable, expire: Callable[[], None], loss: str
) -> None:
    claim = store.claim_dataset("wrk_1")
    assert claim is not None
    if loss == "expired":
        expire()
        assert store.expire_dataset_leases() == [waiting]
        assert store.expire_dataset_leases() == []
    elif loss == "returned":
        assert store.return_dataset(claim)
    elif loss == "deleted":
        store.delete_dataset(tenant, waiting)
    else:
        store.finish_dataset(claim, parsed)
    again = store.claim_dataset("wrk_2")

    assert not store.renew_dataset(claim)
    assert not store.finish_dataset(claim, parsed)
    assert not store.reject_dataset(claim, make_reason(Reason.INVALID_DATA))
    assert not store.return_dataset(claim)
    assert not store.lose_dataset(claim)
    if loss in ("expired", "returned"):
        assert again is not None
        assert again.attempt == 2
        assert store.finish_dataset(again, parsed)


def test_a_live_lease_is_left_alone(store: Store, waiting: str) -> None:
    claim = store.claim_dataset("wrk_1")

    assert store.expire_dataset_leases() == []
    assert claim is not None
    assert store.renew_dataset(claim)


def test_a_dead_workers_claim_ends_at_once(store: Store, waiting: str) -> None:
    claim = store.claim_dataset("wrk_1", lease_s=1000)
    assert claim is not None

    store.end_leases("another")
    assert store.expire_dataset_leases() == []
    store.end_leases("wrk_1")

    assert store.expire_dataset_leases() == [waiting]
    assert store.claim_dataset("wrk_2") is not None


@pytest.mark.parametrize("loss", ["its process died", "its lease expired"])
def test_a_file_that_loses_every_reader_is_invalid(
    store: Store, tenant: str, waiting: str, expire: Callable[[], None], loss: str
) -> None:
    for attempt in (1, 2, 3):
        expire()
        claim = store.claim_dataset("wrk_1")
        assert claim is not None
        assert claim.attempt == attempt
        if loss == "its process died":
            assert store.lose_dataset(claim)
        else:
            expire()
            assert store.expire_dataset_leases() == [waiting]

    found = store.get_dataset(tenant, waiting)
    assert found.state is DatasetState.INVALID
    assert found.state_reason is not None
    assert found.state_reason["code"] == "parser_lost"
    assert found.state_reason["details"] == {"num_lost_attempts": 3}
    expire()
    assert store.claim_dataset("wrk_1") is None


def test_workers_that_shut_down_never_make_it_invalid(
    store: Store, tenant: str, waiting: str, expire: Callable[[], None]
) -> None:
    for _ in range(5):
        claim = store.claim_dataset("wrk_1")
        assert claim is not None
        assert store.return_dataset(claim)

    assert store.get_dataset(tenant, waiting).state is DatasetState.VALIDATING
