import pytest

from api.http.errors import ProblemError
from api.jobs.log_places import MAX_SEQ, read_last_event_id, state_behind
from api.services import Services
from jobs.errors import JobNotFoundError
from jobs.states import JobState


@pytest.mark.parametrize("after", [0, 1, 3])
def test_any_place_in_a_log_that_goes_on_will_do(after: int, services: Services, running: tuple[str, int]) -> None:
    assert state_behind(services.store, "default", running[0], after) is JobState.RUNNING


def test_a_place_beyond_the_end_of_a_log_that_goes_on_is_refused_with_the_last_one(
    services: Services, running: tuple[str, int]
) -> None:
    with pytest.raises(ProblemError, match=r"Last-Event-ID must be .* the last of which is 3; received 4\."):
        state_behind(services.store, "default", running[0], 4, "Last-Event-ID")


def test_a_place_beyond_the_end_of_a_log_that_has_ended_is_its_end(services: Services, finished: str) -> None:
    assert state_behind(services.store, "default", finished, MAX_SEQ) is JobState.SUCCEEDED


def test_a_place_in_nobodys_log_is_not_found(services: Services, finished: str) -> None:
    with pytest.raises(JobNotFoundError):
        state_behind(services.store, "other", finished, 0)


@pytest.mark.parametrize(("text", "seq"), [("0", 0), ("007", 7), (str(MAX_SEQ), MAX_SEQ)])
def test_the_id_of_an_event_is_a_number(text: str, seq: int) -> None:
    assert read_last_event_id(text) == seq


@pytest.mark.parametrize("text", ["-1", "1.0", "1e3", "x", "٣", " 1", str(MAX_SEQ + 1), str(2**63), "1" * 5_000])
def test_what_is_no_id_of_an_event_is_refused(text: str) -> None:
    with pytest.raises(ProblemError, match="Last-Event-ID must be the id of an event"):
        read_last_event_id(text)
