import copy
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from regclient import Client, UnexpectedAnswerError, WaitTimeoutError
from regclient.handle import Handle, idempotency_header, path_of, rows
from regclient.http.transport import Transport

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}


@pytest.fixture
def client(server: Any) -> Any:
    with Client() as client:
        yield client


@pytest.fixture(params=["job", "sweep"])
def handle(request: pytest.FixtureRequest, client: Client) -> Handle:
    return client.jobs.create(SPEC) if request.param == "job" else client.sweeps.create({"base": SPEC})


@pytest.fixture
def kept(server: Any, handle: Handle) -> dict[str, Any]:
    """The server's own record of it."""
    record: dict[str, Any] = getattr(server, handle.collection)[handle.id]
    return record


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_it_is_done_in_every_terminal_state_and_in_no_other(handle: Handle, kept: dict[str, Any], state: str) -> None:
    before = handle.done
    kept["state"] = state

    assert (before, handle.refresh().done) == (False, True)


def test_a_state_of_a_newer_server_is_waited_through(handle: Handle, kept: dict[str, Any]) -> None:
    kept["state"] = "moving"

    with pytest.raises(WaitTimeoutError, match=f"{handle.id} is still moving"):
        handle.wait(timeout_s=0.2, progress=False)  # type: ignore[attr-defined]  # both kinds have it


def test_cancel_shows_what_came_of_it(handle: Handle) -> None:
    assert handle.cancel().state == "cancelled"


def test_delete_removes_it(server: Any, handle: Handle) -> None:
    handle.cancel().delete()

    assert getattr(server, handle.collection) == {}


def test_an_unknown_field_is_an_attribute_error_that_names_the_kind(handle: Handle) -> None:
    with pytest.raises(AttributeError, match=f"A {handle.kind} has no field 'colour'"):
        _ = handle.colour


def test_a_copy_is_a_handle_of_its_own(handle: Handle) -> None:
    other = copy.copy(handle)

    assert (other.id, repr(other)) == (handle.id, repr(handle))


def test_rows_fetch_no_page_that_nobody_asked_for(server: Any, client: Client) -> None:
    for _ in range(5):
        client.jobs.create(SPEC)
    transport: Transport = client.jobs._transport
    server.requests.clear()

    taken = [row for row, _ in zip(rows(transport, "/v1/jobs", {"limit": 2}), range(3), strict=False)]

    assert len(taken) == 3
    assert len(server.requests) == 2


def test_a_key_is_made_for_each_call_unless_one_is_given() -> None:
    assert idempotency_header() != idempotency_header()
    assert idempotency_header("mine") == {"Idempotency-Key": "mine"}


@pytest.mark.parametrize("job_id", ["a/b", "what?", "issue #12", "100%", "%2e", "é", "x/../../sweeps/y"])
def test_whatever_an_id_looks_like_it_is_one_part_of_the_address(job_id: str) -> None:
    path = urlsplit("http://h" + path_of("jobs", job_id, "cancel")).path

    assert [unquote(part) for part in path.split("/")] == ["", "v1", "jobs", job_id, "cancel"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", 5),
        ("created_at", 12),
        ("labels", ["a"]),
        ("progress", 7),
        ("result", "x"),
        ("sweep", "x"),
        ("spec", []),
    ],
)
def test_a_field_of_another_type_is_an_unexpected_answer_that_names_it(
    server: Any, job_body: Any, field: str, value: Any
) -> None:
    job_id = "job_" + "0" * 26
    server.jobs[job_id] = job_body(job_id, "succeeded", **{field: value})

    with Client() as client, pytest.raises(UnexpectedAnswerError, match=f"a job whose {field} is a"):
        client.jobs.get(job_id)
