from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from jobs.errors import (
    DatasetNotFoundError,
    IdempotencyMismatchError,
    IllegalActionError,
    InvalidCursorError,
    VersionChangedError,
)
from jobs.ids import new_id
from jobs.model import DatasetFilter, IdempotencyKey, JobFilter, NewDataset, NewJob
from jobs.states import DatasetState, JobState
from jobs.store import Store

NOBODY = "ds_" + "0" * 26


def test_a_new_set_is_validating_and_waits_for_a_worker(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset]
) -> None:
    submission = store.create_dataset(tenant, new_dataset("rows.csv"))

    found = submission.dataset
    assert (submission.is_new, submission.replayed) == (True, False)
    assert (found.name, found.state, found.version) == ("rows.csv", DatasetState.VALIDATING, 1)
    assert store.get_dataset(tenant, found.id) == found
    assert store.dataset_facts(tenant, found.id) is None
    assert store.preview_dataset(tenant, found.id) is None
    assert store.dataset_table(found.id) is None


def test_the_same_bytes_are_one_set_for_each_tenant_and_reading(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset]
) -> None:
    first = store.create_dataset(tenant, new_dataset("a.csv")).dataset

    again = store.create_dataset(tenant, new_dataset("b.csv"))
    others = [
        store.create_dataset("other", new_dataset()),
        store.create_dataset(tenant, new_dataset(header="no")),
        store.create_dataset(tenant, new_dataset(format="jsonl")),
        store.create_dataset(tenant, new_dataset(content=b"others")),
    ]

    assert not again.is_new
    assert again.dataset == first
    assert all(one.is_new for one in others)
    assert len({first.id, *(one.dataset.id for one in others)}) == 5


def test_of_many_equal_uploads_at_once_one_makes_the_set(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.create_dataset(tenant, new_dataset()), range(8)))

    assert sum(one.is_new for one in made) == 1
    assert len({one.dataset.id for one in made}) == 1


def test_a_key_gives_the_first_answer_again(
    store: Store,
    tenant: str,
    new_dataset: Callable[..., NewDataset],
    key: Callable[..., IdempotencyKey],
    make_ready: Callable[[str], None],
) -> None:
    first = store.create_dataset(tenant, new_dataset(), key())
    make_ready(first.dataset.id)

    again = store.create_dataset(tenant, new_dataset(), key())
    known = store.create_dataset(tenant, new_dataset(), key("another"))
    known_again = store.create_dataset(tenant, new_dataset(), key("another"))

    assert again == replace(first, replayed=True)
    assert known.dataset.state is DatasetState.READY
    assert known_again == replace(known, replayed=True)
    with pytest.raises(IdempotencyMismatchError):
        store.create_dataset(tenant, new_dataset(content=b"others"), key(body="others"))


@pytest.mark.parametrize("dataset_id", [NOBODY, "", "ds_\0", "of another"])
def test_a_set_that_the_tenant_has_not_is_not_found(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset], dataset_id: str
) -> None:
    mine = store.create_dataset(tenant, new_dataset()).dataset.id
    other = store.create_dataset("other", new_dataset()).dataset.id
    asked = other if dataset_id == "of another" else dataset_id

    for call in (store.get_dataset, store.dataset_facts, store.preview_dataset, store.delete_dataset):
        with pytest.raises(DatasetNotFoundError, match=f"The newest that there are: {mine}"):
            call(tenant, asked)


@pytest.mark.parametrize("sort", ["created_at", "-created_at", "name"])
def test_pages_hold_every_set_once_and_in_order(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset], sort: str
) -> None:
    names = ["b", None, "a", "c", "a"]
    ids = [
        store.create_dataset(tenant, new_dataset(name, content=str(place).encode())).dataset.id
        for place, name in enumerate(names)
    ]
    store.create_dataset("other", new_dataset())
    expected = {
        "created_at": ids,
        "-created_at": ids[::-1],
        "name": [one for _, one in sorted(zip([name or "" for name in names], ids, strict=True))],
    }

    found, after = [], None
    while True:
        page = store.list_datasets(tenant, sort=sort, after=after, limit=2)
        found += [one.id for one in page.data]
        after = page.next_after
        if after is None:
            break

    assert found == expected[sort]


def test_a_cursor_of_another_order_is_refused(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset]
) -> None:
    for content in (b"1", b"2"):
        store.create_dataset(tenant, new_dataset(content=content))
    after = store.list_datasets(tenant, limit=1).next_after

    with pytest.raises(InvalidCursorError):
        store.list_datasets(tenant, sort="name", after=after)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"states": frozenset({DatasetState.READY})}, ["ready"]),
        ({"name": "waits"}, ["waits"]),
        ({"name": "\0"}, []),
        ({"sha256": "0" * 64}, []),
        ({"created_after": 1e12}, []),
        ({"created_before": 1e12}, ["ready", "waits"]),
    ],
    ids=str,
)
def test_a_list_is_filtered(
    store: Store,
    tenant: str,
    new_dataset: Callable[..., NewDataset],
    make_ready: Callable[[str], None],
    wanted: dict[str, Any],
    expected: list[str],
) -> None:
    ready = store.create_dataset(tenant, new_dataset("ready", content=b"1")).dataset
    make_ready(ready.id)
    store.create_dataset(tenant, new_dataset("waits", content=b"2"))

    found = store.list_datasets(tenant, DatasetFilter(**wanted)).data
    by_hash = store.list_datasets(tenant, DatasetFilter(sha256=ready.sha256)).data

    assert sorted(str(one.name) for one in found) == expected
    assert [one.id for one in by_hash] == [ready.id]


def test_a_deleted_set_is_gone_with_its_files_and_the_same_bytes_make_a_new_one(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset], make_ready: Callable[[str], None]
) -> None:
    first = store.create_dataset(tenant, new_dataset()).dataset
    make_ready(first.id)
    table = store.dataset_table(first.id)
    assert table is not None
    files = {first.sha256, table.sha256}
    assert store.referenced(sorted(files)) == files

    freed = store.delete_dataset(tenant, first.id)

    assert set(freed) == files
    assert store.referenced(freed) == set()
    with pytest.raises(DatasetNotFoundError):
        store.get_dataset(tenant, first.id)
    again = store.create_dataset(tenant, new_dataset())
    assert again.is_new
    assert again.dataset.id != first.id


def test_a_file_that_another_set_has_is_kept(store: Store, tenant: str, new_dataset: Callable[..., NewDataset]) -> None:
    mine = store.create_dataset(tenant, new_dataset()).dataset
    store.create_dataset("other", new_dataset())

    assert store.delete_dataset(tenant, mine.id) == []
    assert store.referenced([mine.sha256]) == {mine.sha256}


def test_only_the_version_that_was_seen_is_deleted(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset], make_ready: Callable[[str], None]
) -> None:
    seen = store.create_dataset(tenant, new_dataset()).dataset
    make_ready(seen.id)

    with pytest.raises(VersionChangedError):
        store.delete_dataset(tenant, seen.id, {seen.version})

    store.delete_dataset(tenant, seen.id, {store.get_dataset(tenant, seen.id).version})


def test_a_set_is_held_until_the_jobs_on_it_have_ended(
    store: Store,
    tenant: str,
    new_dataset: Callable[..., NewDataset],
    new_job: Callable[..., NewJob],
    make_ready: Callable[[str], None],
) -> None:
    dataset_id = store.create_dataset(tenant, new_dataset()).dataset.id
    make_ready(dataset_id)
    job = store.submit(tenant, replace(new_job(), dataset_id=dataset_id)).job
    store.submit(tenant, new_job())

    with pytest.raises(IllegalActionError) as refused:
        store.delete_dataset(tenant, dataset_id)

    assert str(refused.value) == (
        f"Cannot delete a data set that is needed by {job.id} (queued). Wait until it has ended, or cancel it first."
    )
    assert [one.dataset_id for one in store.list(tenant, JobFilter(dataset_id=dataset_id)).data] == [dataset_id]
    assert store.list(tenant, JobFilter(dataset_id="\0")).data == []
    assert store.request_cancel(tenant, job.id).state is JobState.CANCELLED
    store.delete_dataset(tenant, dataset_id)
    assert store.get(tenant, job.id).dataset_id == dataset_id


def test_a_job_on_a_set_that_is_not_there_is_refused(
    store: Store, tenant: str, new_dataset: Callable[..., NewDataset], new_job: Callable[..., NewJob]
) -> None:
    others = store.create_dataset("other", new_dataset()).dataset.id

    for dataset_id in (new_id("ds"), others):
        with pytest.raises(DatasetNotFoundError):
            store.submit(tenant, replace(new_job(), dataset_id=dataset_id))

    assert store.list(tenant).data == []
