from collections.abc import Callable

import pytest

from jobs.errors import InvalidCursorError
from jobs.model import Capabilities, Job, JobFilter
from jobs.states import JobState
from jobs.store import Store
from jobs.store.listing import SORTS


def _all_pages(store: Store, tenant: str, sort: str, limit: int) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = store.list(tenant, sort=sort, after=after, limit=limit)
        found += [job.id for job in page.data]
        assert len(page.data) <= limit
        assert page.has_more == (page.next_after is not None)
        if page.next_after is None:
            return found
        after = page.next_after


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_pages_hold_every_job_once_in_the_order_of_one_page(
    store: Store, tenant: str, submit: Callable[..., Job], sort: str, limit: int
) -> None:
    submitted = [submit(name) for name in ("b", "a", None, "a", "C", "é", "")]
    for job in submitted[::2]:
        store.request_cancel(tenant, job.id)

    whole = _all_pages(store, tenant, sort, 50)

    assert sorted(whole) == sorted(job.id for job in submitted)
    assert _all_pages(store, tenant, sort, limit) == whole


def test_newest_first_unless_told_otherwise(store: Store, tenant: str, submit: Callable[..., Job]) -> None:
    ids = [submit().id for _ in range(3)]

    assert [job.id for job in store.list(tenant).data] == ids[::-1]
    assert [job.id for job in store.list(tenant, sort="created_at").data] == ids


def test_names_sort_by_code_point(store: Store, tenant: str, submit: Callable[..., Job]) -> None:
    for name in ("b", "B", "a", "é", "A"):
        submit(name)

    assert [job.name for job in store.list(tenant, sort="name").data] == ["A", "B", "a", "b", "é"]


@pytest.mark.parametrize("sort", ["finished_at", "-finished_at"])
def test_an_unfinished_job_comes_last(store: Store, tenant: str, submit: Callable[..., Job], sort: str) -> None:
    unfinished, finished = submit(), submit()
    store.request_cancel(tenant, finished.id)

    assert [job.id for job in store.list(tenant, sort=sort).data] == [finished.id, unfinished.id]


def test_a_job_that_comes_in_while_paging_does_not_shift_the_pages(
    store: Store, tenant: str, submit: Callable[..., Job]
) -> None:
    ids = [submit().id for _ in range(4)]
    first = store.list(tenant, limit=2)
    submit()

    second = store.list(tenant, after=first.next_after, limit=2)

    assert [job.id for job in first.data + second.data] == ids[::-1]


def test_filters_hold_together(store: Store, tenant: str, submit: Callable[..., Job], cpu: Capabilities) -> None:
    wanted = submit("n", labels={"team": "a", "run": "1"})
    submit("n", labels={"team": "a", "run": "2"})
    submit("n", labels={"team": "b", "run": "1"})
    submit("m", labels={"team": "a", "run": "1"})
    job_filter = JobFilter(states=frozenset({JobState.QUEUED}), labels=(("team", "a"), ("run", "1")), name="n")

    assert [job.id for job in store.list(tenant, job_filter).data] == [wanted.id]
    store.claim("wrk_1", cpu)
    assert store.list(tenant, job_filter).data == []


def test_filters_come_before_the_limit(store: Store, tenant: str, submit: Callable[..., Job]) -> None:
    wanted = submit(labels={"wanted": "yes"})
    for _ in range(5):
        submit()

    page = store.list(tenant, JobFilter(labels=(("wanted", "yes"),)), limit=1)

    assert [job.id for job in page.data] == [wanted.id]
    assert not page.has_more


def test_created_after_and_before_leave_out_the_moment_itself(
    store: Store, tenant: str, submit: Callable[..., Job], rewind: Callable[..., None]
) -> None:
    submit()
    rewind("jobs", "created_at", 100.123)

    assert store.list(tenant, JobFilter(created_after=100.123)).data == []
    assert store.list(tenant, JobFilter(created_before=100.123)).data == []
    assert len(store.list(tenant, JobFilter(created_after=100.122, created_before=100.124)).data) == 1


@pytest.mark.parametrize(
    "job_filter", [JobFilter(name="\0"), JobFilter(labels=(("a", "\0"),)), JobFilter(labels=(("\0", "a"),))]
)
def test_a_text_that_no_database_can_hold_matches_nothing(
    store: Store, tenant: str, submit: Callable[..., Job], job_filter: JobFilter
) -> None:
    submit()

    assert store.list(tenant, job_filter).data == []


def test_another_tenants_jobs_are_not_listed(store: Store, submit: Callable[..., Job]) -> None:
    submit()

    assert store.list("tenant-b").data == []


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!",
        "é",
        "bnVsbA",
        "W10",
        "WyJuYW1lIiwgMSwgImEiXQ",
        "W" * 5000,
        "WyItY3JlYXRlZF9hdCIsIDEuMCwgIlx1MDAwMCJd",
    ],
)
def test_a_cursor_of_someones_making_is_refused(store: Store, tenant: str, cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        store.list(tenant, after=cursor)


def test_a_cursor_of_another_order_is_refused(store: Store, tenant: str, submit: Callable[..., Job]) -> None:
    submit()
    submit()
    cursor = store.list(tenant, sort="name", limit=1).next_after

    with pytest.raises(InvalidCursorError):
        store.list(tenant, sort="created_at", after=cursor)
