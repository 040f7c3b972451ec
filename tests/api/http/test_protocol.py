import json
from typing import Any

from jobs.settings import Settings

MALFORMED = {
    "no request": b"nonsense\r\n\r\n",
    "a path with a space": b"GET /v1/a b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nnonsense\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length that is none": b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "a large head": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 66_000,
}


def test_options_of_the_whole_server_names_all_methods(
    with_tables: Settings, serve: Any, free_tcp_port: int, exchange: Any
) -> None:
    sent = b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"

    with serve(with_tables, free_tcp_port):
        answer = exchange(free_tcp_port, sent)

    assert answer.startswith(b"HTTP/1.1 204 ")
    assert b"allow: DELETE, GET, HEAD, OPTIONS, POST" in answer


def test_what_is_no_request_is_a_problem_and_the_connection_closes(
    with_tables: Settings, serve: Any, free_tcp_port: int, exchange: Any
) -> None:
    with serve(with_tables, free_tcp_port):
        answers = {name: exchange(free_tcp_port, sent) for name, sent in MALFORMED.items()}

    for name, answer in answers.items():
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 "), name
        assert b"content-type: application/problem+json" in head.lower(), name
        assert json.loads(body)["type"] == "urn:regcore:problem:bad_request", name
        assert f"x-request-id: {json.loads(body)['request_id']}".encode() in head, name


def test_a_body_that_is_too_large_is_refused_before_it_is_sent_where_the_client_asks_first(
    with_tables: Settings, token: str, serve: Any, free_tcp_port: int, exchange: Any
) -> None:
    """RFC 9110, §10.1.1"""
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000001\r\nExpect: 100-continue\r\n\r\n"
    )

    with serve(with_tables, free_tcp_port):
        answer = exchange(free_tcp_port, head.encode())

    assert answer.startswith(b"HTTP/1.1 413 ")
