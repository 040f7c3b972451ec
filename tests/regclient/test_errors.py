import copy
import pickle
from pathlib import Path

import pytest

from regclient.errors import (
    APIError,
    ClientClosedError,
    DatasetInvalidError,
    FileChangedError,
    IntegrityError,
    InvalidBodyError,
    InvalidIdError,
    JobFailedError,
    NotFoundError,
    RegClientError,
    ServerUnreachableError,
    SweepFailedError,
    UnavailableError,
    UnexpectedAnswerError,
    UsageError,
    WaitTimeoutError,
    error_from_problem,
    explain_reason,
)

ERRORS: list[RegClientError] = [
    UsageError("no"),
    ClientClosedError(),
    ServerUnreachableError("http://h", OSError("no")),
    WaitTimeoutError("job_1", "queued", 3.0),
    DatasetInvalidError("ds_1", "rows.csv", {"code": "c", "message": "m"}, was_held=True),
    FileChangedError(Path("rows.csv")),
    WaitTimeoutError(None, None, 3.0, url="http://h"),
    JobFailedError("job_1", "failed", {"code": "diverged"}),
    SweepFailedError("swp_1", "failed"),
    IntegrityError("no", ["a"], [Path("b")]),
    APIError(500, {"title": "no", "errors": [{"pointer": "/a"}]}),
    NotFoundError(404, {}),
    InvalidBodyError([{"pointer": "/a", "code": "c", "message": "m"}]),
    InvalidIdError("no"),
    UnexpectedAnswerError(200, "http://h", "a page"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__}-{error.args[0][:8]}")
def test_an_error_travels_between_processes_whole(error: RegClientError) -> None:
    for travelled in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - made here
        assert (type(travelled), str(travelled), vars(travelled)) == (type(error), str(error), vars(error))


def test_the_status_chooses_the_class() -> None:
    assert type(error_from_problem(404, {})) is NotFoundError
    assert type(error_from_problem(503, {})) is UnavailableError
    assert type(error_from_problem(500, {})) is APIError


def test_a_fault_of_the_server_names_the_request() -> None:
    assert "req_7" in str(error_from_problem(500, {"title": "Internal error", "request_id": "req_7"}))


def test_a_reason_is_one_line_with_its_remedy() -> None:
    assert (
        explain_reason({"code": "diverged", "message": "NaN.", "remedy": "Slow down."}) == "diverged: NaN. Slow down."
    )


@pytest.mark.parametrize(
    ("pointer", "said"),
    [
        ("/data/target", "422 Wrong\n  /data/target: There is no such column."),
        ("", "422 Wrong: There is no such column."),
    ],
)
def test_what_the_detail_and_an_error_say_alike_is_said_once(pointer: str, said: str) -> None:
    message = "There is no such column."
    problem = {"title": "Wrong", "detail": message, "errors": [{"pointer": pointer, "code": "c", "message": message}]}

    assert str(error_from_problem(422, problem)) == said


def test_an_invalid_data_set_names_the_places_that_its_message_leaves_out() -> None:
    reason = {"code": "ragged", "message": "Row 6 is too long.", "details": {"line": 7, "row": 6, "column": "age"}}

    error = DatasetInvalidError("ds_0", None, reason)

    assert str(error) == "ds_0 is invalid: ragged: Row 6 is too long. (line 7, column 'age')"
    assert str(DatasetInvalidError("ds_0", "n", None)) == "ds_0 (n) is invalid: the server gives no reason"
