import json
from http import HTTPStatus

import pytest

from api.http.errors import (
    PROBLEMS,
    ParameterError,
    ProblemError,
    from_jobs_error,
    from_spec_error,
    problem_response,
    suggest,
)
from jobs.errors import (
    ArtifactNotFoundError,
    IdempotencyBusyError,
    IdempotencyMismatchError,
    IllegalActionError,
    IllegalTransitionError,
    InvalidCursorError,
    JobNotFoundError,
    JobsError,
    StaleRunError,
    StoreUnavailableError,
    SweepNotFoundError,
)
from jobs.outages import Outage
from regcore.errors import FieldError, SpecError

CONTRACT_STATUSES = {400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 416, 422, 429, 500, 503}


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_has_an_error_status_of_the_contract(code: str) -> None:
    assert HTTPStatus(PROBLEMS[code].status) in CONTRACT_STATUSES


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (JobNotFoundError("job_1"), 404, "job_not_found"),
        (ArtifactNotFoundError("log.txt"), 404, "artifact_not_found"),
        (IllegalActionError("delete", "running", "Cancel it first."), 409, "illegal_action"),
        (InvalidCursorError(), 422, "invalid_parameter"),
        (IdempotencyMismatchError(), 422, "idempotency_mismatch"),
        (IdempotencyBusyError(), 409, "idempotency_busy"),
        (StoreUnavailableError(), 503, "unavailable"),
        (StoreUnavailableError(Outage.READ_ONLY), 503, "unavailable"),
        (StoreUnavailableError(Outage.DISK_FULL), 503, "disk_full"),
    ],
)
def test_what_a_client_did_in_the_store_has_a_problem(error: JobsError, status: int, code: str) -> None:
    problem = from_jobs_error(error)

    assert (PROBLEMS[problem.code].status, problem.code) == (status, code)
    assert str(error) in problem.detail


@pytest.mark.parametrize(
    ("error", "there_is"),
    [
        (JobNotFoundError("job_1", ["job_3", "job_2"]), "The newest that there are: job_3, job_2."),
        (SweepNotFoundError("swp_1", ["swp_2"]), "The newest that there are: swp_2."),
        (ArtifactNotFoundError("log", ["log.txt", "model.json"]), "the job has log.txt, model.json."),
        (ArtifactNotFoundError("log.txt"), "the job has none yet."),
    ],
)
def test_a_refusal_of_what_is_not_there_says_what_is(error: JobsError, there_is: str) -> None:
    assert there_is in from_jobs_error(error).detail


@pytest.mark.parametrize("error", [StaleRunError(1, "job_1"), IllegalTransitionError("job_1", "failed", "queued")])
def test_a_fault_of_ours_is_raised_on(error: JobsError) -> None:
    with pytest.raises(type(error)) as caught:
        from_jobs_error(error)

    assert caught.value is error


@pytest.mark.parametrize(("num_errors", "detail"), [(1, "Wrong 0."), (3, "Wrong 0. And 2 more: see errors.")])
def test_the_detail_of_a_refused_spec_sums_its_errors_up(num_errors: int, detail: str) -> None:
    errors = [FieldError(f"/{index}", "wrong", f"Wrong {index}.") for index in range(num_errors)]

    problem = from_spec_error(SpecError(errors))

    assert (problem.detail, problem.errors) == (detail, tuple(errors))


@pytest.mark.parametrize(
    ("received", "said"), [("runing", " Did you mean 'running'?"), ("QQQ", ""), ("failled", " Did you mean 'failed'?")]
)
def test_only_what_is_close_is_suggested(received: str, said: str) -> None:
    assert suggest(received, ["queued", "running", "failed"]) == said


def test_a_problem_is_written_as_rfc_9457_says() -> None:
    wrong = (FieldError("/name", "too_long", "Shorten it."), ParameterError("limit", "too_small", "Raise it."))
    problem = ProblemError("invalid_body", "Two things are wrong.", wrong, {"Retry-After": "2"})

    response = problem_response(problem, "/v1/jobs", "req_1")

    assert (response.status_code, response.media_type) == (422, "application/problem+json")
    assert response.headers["retry-after"] == "2"
    assert json.loads(response.body) == {
        "type": "urn:regcore:problem:invalid_body",
        "title": "The body is not valid",
        "status": 422,
        "detail": "Two things are wrong.",
        "instance": "/v1/jobs",
        "request_id": "req_1",
        "errors": [
            {"pointer": "/name", "code": "too_long", "message": "Shorten it."},
            {"parameter": "limit", "code": "too_small", "message": "Raise it."},
        ],
    }


def test_half_a_surrogate_pair_in_a_message_is_still_written() -> None:
    response = problem_response(ProblemError("invalid_body", "received '\ud800'"), "/", "req_1")

    assert rb"\ud800" in response.body
