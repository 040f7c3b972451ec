from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from regclient import ServerUnreachableError, UnavailableError, UsageError, WaitTimeoutError
from regclient.errors import error_from_problem
from regclient.http.deadline import Deadline, within
from regclient.http.retries import MAX_RETRY_AFTER_S, Attempts, Interruption, asks_to_come_back, checked_max_retries
from regclient.http.retries import retry_after_s as asked_for_s

URL = "http://h"
AWAY = Interruption(ServerUnreachableError(URL, ConnectionError("away")))


def answer(status: int, retry_after: str | None = None) -> httpx2.Response:
    return httpx2.Response(status, headers={} if retry_after is None else {"Retry-After": retry_after})


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
def test_what_is_away_for_a_while_is_asked_again_and_in_the_end_is_unavailable(status: int) -> None:
    assert asks_to_come_back(answer(status))
    assert type(error_from_problem(status, {})) is UnavailableError


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 409, 410, 422, 500, 501])
def test_what_stays_as_it_is_is_not_asked_again(status: int) -> None:
    assert not asks_to_come_back(answer(status))


def test_a_conflict_that_says_when_to_come_back_is_asked_again() -> None:
    assert asks_to_come_back(answer(409, "1"))


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("3", 3.0), (" 0 ", 0.0), ("86400", MAX_RETRY_AFTER_S), ("9" * 5000, MAX_RETRY_AFTER_S)]
    + [(said, None) for said in ("-1", "1.5", "nan", "inf", "soon", "", "٣", "Mon, 99 Foo 2026")]
    + [("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S)],
    ids=ascii,
)
def test_retry_after_is_seconds_or_a_date_within_limits(said: str, seconds: float | None) -> None:
    # The headers of a response are bytes; what is no ASCII came as such.
    response = httpx2.Response(503, headers=[(b"Retry-After", said.encode())])

    assert asked_for_s(response) == seconds


def test_a_date_is_counted_from_now() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)

    found = asked_for_s(answer(503, soon))

    assert found is not None
    assert 0 < found <= 30


def test_the_last_failure_is_raised_after_as_many_retries_as_were_asked_for() -> None:
    pauses: list[float] = []
    attempts = Attempts(URL, 3, sleep=pauses.append)

    for _ in range(3):
        attempts.failed(AWAY)
    with pytest.raises(ServerUnreachableError):
        attempts.failed(AWAY)

    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_an_answer_in_between_begins_the_count_anew() -> None:
    attempts = Attempts(URL, 1, sleep=lambda _: None)

    for _ in range(5):
        attempts.failed(AWAY)
        attempts.succeeded()


def test_the_patient_go_on_for_as_long_as_they_are_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("regclient.http.retries.time.monotonic", lambda: now[0])
    attempts = Attempts(URL, 1, patience_s=60, sleep=lambda pause_s: now.__setitem__(0, now[0] + pause_s))

    def fail_for_ever() -> None:
        while True:
            attempts.failed(AWAY)

    with pytest.raises(ServerUnreachableError):
        fail_for_ever()

    assert now[0] >= 1060
    assert attempts.num_failures > 5


def test_who_wants_no_retry_is_not_made_patient() -> None:
    with pytest.raises(ServerUnreachableError):
        Attempts(URL, 0, patience_s=60).failed(AWAY)


def test_no_pause_is_longer_than_what_is_left() -> None:
    pauses: list[float] = []
    attempts = Attempts(URL, 9, sleep=pauses.append)

    with within(Deadline(5)):
        attempts.failed(Interruption(AWAY.error, retry_after_s=50))

    assert pauses[0] <= 5


def test_after_the_deadline_nothing_is_tried_again() -> None:
    with within(Deadline(0)):
        attempts = Attempts(URL, 9, sleep=lambda _: None)
        attempts.failed(AWAY)

        with pytest.raises(WaitTimeoutError, match="No answer from http://h"):
            attempts.failed(AWAY)


@pytest.mark.parametrize("number", [-1, 1.5, True, None, "3", float("nan")], ids=ascii)
def test_a_number_of_retries_that_is_none_is_refused(number: Any) -> None:
    with pytest.raises(UsageError, match="max_retries"):
        checked_max_retries(number)
