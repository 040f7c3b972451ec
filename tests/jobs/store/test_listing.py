import base64
import contextlib
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.clock import read_clock
from jobs.database import Database
from jobs.errors import IllegalActionError, InvalidCursorError
from jobs.model import Capabilities, Job, JobFilter
from jobs.states import JobState
from jobs.store import Store
from jobs.store.listing import SORTS
from jobs.store.log import change_state, lock_jobs
from jobs.tables import jobs

FILTERS = {
    "all": JobFilter(),
    "queued": JobFilter(states=frozenset({JobState.QUEUED})),
    "queued or paused": JobFilter(states=frozenset({JobState.QUEUED, JobState.PAUSED})),
    "cancelled": JobFilter(states=frozenset({JobState.CANCELLED})),
    "cancelled of a team": JobFilter(states=frozenset({JobState.CANCELLED}), labels=(("team", "a"),)),
}


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


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("job_filter", FILTERS.values(), ids=FILTERS)
def test_whatever_happens_between_pages_each_job_that_was_there_is_on_one_of_them(
    store: Store, tenant: str, submit: Callable[..., Job], sort: str, job_filter: JobFilter
) -> None:
    choose = random.Random(sort)
    ids = [submit(choose.choice("ab"), labels={"team": choose.choice("ab")}).id for _ in range(12)]

    def shake() -> None:
        for _ in range(4):
            act = choose.choice([store.request_cancel, store.request_pause, store.resume])
            with contextlib.suppress(IllegalActionError):
                act(tenant, choose.choice(ids))
        ids.append(submit("new", labels={"team": "a"}).id)

    shake()
    whole = [job.id for job in store.list(tenant, job_filter, sort, limit=100).data]
    found: list[str] = []
    page = store.list(tenant, job_filter, sort, limit=2)
    while True:
        found += [job.id for job in page.data]
        if page.next_after is None:
            break
        shake()
        page = store.list(tenant, job_filter, sort, page.next_after, limit=2)

    was_there = [job_id for job_id in found if job_id in whole]
    assert was_there == whole
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("sort", ["finished_at", "-finished_at"])
def test_what_ends_between_pages_keeps_the_place_that_it_had(
    store: Store, tenant: str, submit: Callable[..., Job], sort: str
) -> None:
    early, late, one, other = (submit().id for _ in range(4))
    store.request_cancel(tenant, early)
    store.request_cancel(tenant, late)
    first = store.list(tenant, sort=sort, limit=2)
    store.request_cancel(tenant, other)
    store.request_cancel(tenant, one)

    second = store.list(tenant, sort=sort, after=first.next_after, limit=2)

    assert [job.id for job in first.data] == ([early, late] if sort == "finished_at" else [late, early])
    assert [job.id for job in second.data] == ([one, other] if sort == "finished_at" else [other, one])
    assert [job.state for job in second.data] == [JobState.CANCELLED] * 2  # each row says how it is now


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("states", [(), ("queued",), ("cancelled",), ("queued", "cancelled")], ids=str)
def test_whatever_open_transactions_bring_each_job_that_was_there_is_on_one_page(
    store: Store, database: Database, tenant: str, submit: Callable[..., Job], sort: str, states: tuple[str, ...]
) -> None:
    ids = [submit(name).id for name in "bacabc"]
    store.request_cancel(tenant, ids[0])
    job_filter = JobFilter(states=frozenset(map(JobState, states)))

    with database.write() as connection:  # its ends bear a time from before the first page, and are seen after it
        at = read_clock(connection)
        if not database.is_sqlite:  # which has one writer at a time
            store.request_cancel(tenant, ids[5])
            ids.append(submit("b").id)
        whole = [job.id for job in store.list(tenant, job_filter, sort).data]
        first = store.list(tenant, job_filter, sort, limit=1)
        for row in lock_jobs(connection, jobs.c.id.in_([ids[1], ids[4]])):
            change_state(connection, row, JobState.CANCELLED, at=at)
    after = first.next_after
    rest = store.list(tenant, job_filter, sort, after).data if after else []

    found = [job.id for job in [*first.data, *rest]]
    assert len(set(found)) == len(found)
    assert set(whole) <= set(found)


@pytest.mark.parametrize("sort", ["finished_at", "-finished_at"])
def test_what_ended_while_others_were_about_to_is_in_order_once_they_have(
    store: Store, database: Database, tenant: str, submit: Callable[..., Job], sort: str
) -> None:
    ids = [submit().id for _ in range(3)]
    store.request_cancel(tenant, ids[0])
    if not database.is_sqlite:
        store.request_cancel(tenant, ids[1])

    with ThreadPoolExecutor(1) as pool:
        with database.write():
            listed = pool.submit(store.list, tenant, sort=sort, limit=1)
            time.sleep(0.03)
        first = listed.result(10)

    ended = ids[:1] if database.is_sqlite else ids[:2]
    assert first.data[0].id == (ended[0] if sort == "finished_at" else ended[-1])


def test_who_lists_waits_for_no_writer_for_long(
    store: Store, database: Database, tenant: str, submit: Callable[..., Job]
) -> None:
    ids = {submit().id for _ in range(3)}

    with database.write(), ThreadPoolExecutor(1) as pool:
        page = pool.submit(store.list, tenant, JobFilter(states=frozenset({JobState.QUEUED})), limit=2).result(1.5)

    rest = store.list(tenant, JobFilter(states=frozenset({JobState.QUEUED})), after=page.next_after)
    assert {job.id for job in page.data + rest.data} == ids


def test_equal_times_are_told_apart_by_id(
    store: Store, tenant: str, submit: Callable[..., Job], rewind: Callable[..., None]
) -> None:
    ids = [submit().id for _ in range(5)]
    for job_id in ids:
        store.request_cancel(tenant, job_id)
    rewind("jobs", "finished_at", 100.0)
    rewind("jobs", "created_at", 100.0)

    for sort in SORTS:
        assert sorted(_all_pages(store, tenant, sort, 1)) == sorted(ids)


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
        *(
            base64.urlsafe_b64encode(parts.encode()).decode()
            for parts in (
                '["-created_at", 1.0, "\\u0000", null]',
                '["-created_at", 1.0, "\\ud800", null]',
                '["-created_at", NaN, "a", null]',
                '["-created_at", 1e999, "a", null]',
                '["-created_at", 1.0, "a", [1.0, -Infinity]]',
                '["-created_at", 1.0, "a", "now"]',
                '["-created_at", 1.0, "a", 1.0]',
                '["-created_at", 1.0, "a", [1.0]]',
                '["-created_at", 1, "a", null]',
                '["-created_at", 1.0, "a"]',
            )
        ),
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


def test_a_cursor_without_a_moment_does_not_continue_a_list_that_needs_one(
    store: Store, tenant: str, submit: Callable[..., Job]
) -> None:
    submit()
    submit()
    cursor = store.list(tenant, limit=1).next_after

    with pytest.raises(InvalidCursorError):
        store.list(tenant, JobFilter(states=frozenset({JobState.QUEUED})), after=cursor)
