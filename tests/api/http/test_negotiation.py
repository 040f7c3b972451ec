import pytest
from starlette.requests import Request

from api.http.errors import ProblemError
from api.http.negotiation import json_only, negotiate

OFFERS = ["application/json", "text/csv"]


def make_request(accept: str | None) -> Request:
    return Request({"type": "http", "headers": [] if accept is None else [(b"accept", accept.encode())]})


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "application/json"),
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("Text/CSV; charset=utf-8", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
        ("text/csv, application/json", "application/json"),
        # The most specific range counts, wherever it stands (RFC 9110 §12.5.1).
        ("*/*;q=0.9, application/json;q=0.1", "text/csv"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("text/html, */*;q=0.1", "application/json"),
        ("text/csv;q=x, application/json;q=0.1", "application/json"),
    ],
)
def test_the_client_gets_what_it_likes_best(accept: str | None, chosen: str) -> None:
    assert negotiate(make_request(accept), OFFERS) == chosen


@pytest.mark.parametrize(
    "accept", ["image/png", "application/json;q=0, text/csv;q=0", "*/*;q=0", "application", "*/*;q=nan", "*/*;q=inf"]
)
def test_a_client_that_takes_no_offer_is_told_of_all(accept: str) -> None:
    with pytest.raises(ProblemError, match="application/json, text/csv") as caught:
        negotiate(make_request(accept), OFFERS)

    assert caught.value.code == "not_acceptable"


def test_where_there_is_only_json_a_client_must_take_it() -> None:
    json_only(make_request("application/*"))
    with pytest.raises(ProblemError, match="text/csv"):
        json_only(make_request("text/csv"))
