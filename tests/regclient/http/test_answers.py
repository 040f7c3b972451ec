import json
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import Response
from fastapi.responses import JSONResponse

from regclient import Client, InvalidRequestError, NotFoundError, UnexpectedAnswerError
from regclient.errors import error_from_problem

ID = "job_" + "0" * 26
SIGN_IN = "<html><head><style>a{}</style><title>Sign in</title></head><body>Please <b>sign in</b>\x1b[31m</body></html>"
JOB = {"id": ID, "state": "queued"}

# What may come in place of any answer.
ANYWHERE: dict[str, Response] = {
    "sign-in page": Response(SIGN_IN, 200, media_type="text/html"),
    "redirect": Response(status_code=302, headers={"Location": "https://sso.example/login?token=hush"}),
    "redirect to itself": Response(status_code=308, headers={"Location": "/v1/jobs/"}),
    "redirect to nowhere": Response(status_code=307, headers={"Location": "http://[::1"}),
    "redirect without aim": Response(status_code=301),
    "empty": Response(b"", 200),
    "no content": Response(status_code=204),
    "not modified": Response(status_code=304),
    "a list": JSONResponse([JOB]),
    "null": JSONResponse(None),
    "text": JSONResponse("ok"),
    "nothing in it": JSONResponse({}),
    "cut off": Response(json.dumps(JOB)[:-5], 200, media_type="application/json"),
    "nan": Response(f'{{"id": "{ID}", "state": NaN}}', 200, media_type="application/json"),
    "latin-1": Response('{"é": 1}'.encode("latin-1"), 200, media_type="application/json; charset=latin-1"),
    "no known charset": Response(b"{", 200, {"Content-Type": "application/json; charset=klingon"}),
    "deeply nested": Response("[" * 100_000, 200, media_type="application/json"),
}
OF_A_JOB: dict[str, Response] = {
    "hostile id": JSONResponse({"id": "../sweeps/x", "state": "queued"}),
    "id of a sweep": JSONResponse({"id": "swp_" + "0" * 26, "state": "queued"}),
    "other job": JSONResponse({"id": "job_" + "1" * 26, "state": "queued"}),
    "id is a number": JSONResponse({"id": 1, "state": "queued"}),
    "no state": JSONResponse({"id": ID}),
}
OF_A_LIST: dict[str, Response] = {
    "numbers": JSONResponse({"data": [1, 2], "has_more": False}),
    "never ends": JSONResponse({"data": [], "has_more": True, "next_after": None}),
    "hostile ids": JSONResponse({"data": [{"id": "..", "state": "x"}], "has_more": False}),
    "data is text": JSONResponse({"data": "x", "has_more": False}),
    "does not say whether it has more": JSONResponse({"data": []}),
}
DOORS: dict[str, Callable[[Client], Any]] = {
    "job": lambda client: client.jobs.get(ID),
    "submit": lambda client: client.jobs.create({}),
    "cancel": lambda client: client.jobs.cancel(ID),
    "list": lambda client: list(client.jobs.list()),
    "workers": lambda client: client.workers(),
    "sweep": lambda client: client.sweeps.get("swp_" + "0" * 26),
}


def error_of(server: Any, answer: Response, door: str) -> UnexpectedAnswerError:
    server.failures = [answer]
    with Client() as client, pytest.raises(UnexpectedAnswerError) as caught:
        DOORS[door](client)
    assert len(server.requests) == 1  # neither followed nor tried again
    server.requests.clear()
    return caught.value


@pytest.mark.parametrize("case", ANYWHERE)
def test_what_no_server_of_ours_answers_is_one_error_wherever_it_comes_in(server: Any, case: str) -> None:
    errors = [error_of(server, ANYWHERE[case], door) for door in DOORS]

    assert all(server.url in str(error) and "REGCORE_URL" in str(error) for error in errors)


@pytest.mark.parametrize(
    ("door", "case"), [("job", case) for case in OF_A_JOB] + [("list", case) for case in OF_A_LIST]
)
def test_json_that_is_not_what_was_asked_for_is_the_same_error(server: Any, door: str, case: str) -> None:
    assert "answered with" in str(error_of(server, (OF_A_JOB | OF_A_LIST)[case], door))


def test_a_sign_in_page_is_shown_in_a_few_words_that_steer_no_terminal(server: Any) -> None:
    assert "status 200, text/html; charset=utf-8: 'Sign in Please sign in [31m'" in str(
        error_of(server, ANYWHERE["sign-in page"], "job")
    )


def test_a_redirect_says_where_to_without_its_token(server: Any) -> None:
    said = str(error_of(server, ANYWHERE["redirect"], "job"))

    assert "https://sso.example/login, which is not followed" in said
    assert "hush" not in said


def test_a_sign_in_page_is_no_deletion(server: Any) -> None:
    server.failures = [ANYWHERE["sign-in page"]]

    with Client() as client, pytest.raises(UnexpectedAnswerError):
        client.jobs.delete(ID)


PROBLEMS: dict[str, Any] = {
    "errors is no list": {"errors": {"a": 1}},
    "errors of numbers": {"errors": [1, None, "x"]},
    "type is a number": {"type": 7},
    "all null": dict.fromkeys(("type", "title", "detail", "errors", "request_id")),
    "request_id is a list": {"request_id": ["x"], "title": {"a": "b"}},
}


@pytest.mark.parametrize("case", PROBLEMS)
def test_a_problem_that_is_none_is_still_the_error_of_its_status(case: str) -> None:
    assert type(error_from_problem(422, PROBLEMS[case])) is InvalidRequestError
    assert "500" in str(error_from_problem(500, PROBLEMS[case]))


@pytest.mark.parametrize(
    "body", [b"\xff\xfe\x00", b"", b"[1]", b"null", b"{" * 9999, b"<html>no</html>"], ids=lambda body: repr(body[:8])
)
def test_an_error_whose_body_is_no_problem_is_the_error_of_its_status(server: Any, body: bytes) -> None:
    server.failures = [Response(body, 404, media_type="application/problem+json")]

    with Client() as client, pytest.raises(NotFoundError):
        client.jobs.get(ID)


@pytest.mark.parametrize(
    "event",
    [
        "no json",
        "[]",
        "{}",
        "NaN",
        '{"seq": 1, "kind": "log"}',
        '{"seq": "1", "kind": "log", "at": "t", "body": {}}',
        '{"seq": 1, "kind": "log", "at": "t", "body": 3}',
    ],
)
def test_an_event_that_is_no_record_is_the_same_error(server: Any, event: str) -> None:
    with Client() as client:
        job = client.jobs.create({})
        server.failures = [Response(f"data: {event}\n\n", media_type="text/event-stream")]

        with pytest.raises(UnexpectedAnswerError, match="an event that is not a record"):
            list(job.events())


def test_a_record_of_a_page_that_is_none_is_the_same_error(server: Any) -> None:
    with Client() as client:
        job = client.jobs.create({})
        server.failures = [JSONResponse({"data": [{"seq": 1, "kind": "state"}], "has_more": False})]

        with pytest.raises(UnexpectedAnswerError, match="an event that is not a record"):
            list(job.events(follow=False))


def test_a_page_in_place_of_a_stream_is_the_same_error(server: Any) -> None:
    with Client() as client:
        job = client.jobs.create({})
        server.failures = [ANYWHERE["sign-in page"]]

        with pytest.raises(UnexpectedAnswerError, match="in place of text/event-stream"):
            list(job.events())
