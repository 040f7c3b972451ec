import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs import ids
from jobs.ids import new_id


def test_an_id_is_its_prefix_and_a_ulid() -> None:
    assert re.fullmatch(r"job_[0-7][0-9A-HJKMNP-TV-Z]{25}", new_id("job"))


def test_ids_sort_by_the_order_of_their_making() -> None:
    made = [new_id("job") for _ in range(5000)]

    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_of_many_threads_differ() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id("job"), range(5000)))

    assert len(set(made)) == len(made)


def test_an_id_begins_with_its_time() -> None:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

    milliseconds = 0
    for character in new_id("job")[4:14]:
        milliseconds = milliseconds * 32 + alphabet.index(character)

    assert abs(milliseconds / 1000 - time.time()) < 60


def test_ids_still_grow_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last", 0)
    before = new_id("job")
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)

    assert new_id("job") > before
