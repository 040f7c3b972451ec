"""Behind a proxy: the examples of `docs/proxies` as operators run them, and what clients meet when the api restarts."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from live_stack import LiveStack, live_stack
from proxies import CERTIFICATE, NAME, Proxy, found_proxies, main_proxy, run_proxy

from regclient import APIError, Client

STREAM = {"Accept": "text/event-stream"}
ENDLESS = {
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "mlp", "hidden": [16]},
    "training": {"epochs": 100_000},
}
PUBLIC_URL = f"https://{NAME}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    """A stack that believes proxies of this machine, on SQLite: no proxy sees the database."""
    settings = {"public_url": PUBLIC_URL, "trusted_proxies": "127.0.0.1", "reconcile_interval_s": 0.2}
    with live_stack(tmp_path_factory.mktemp("stack"), None, **settings) as stack:
        yield stack


@pytest.fixture(scope="module", params=found_proxies())
def proxy(
    request: pytest.FixtureRequest, stack: LiveStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """Each proxy that this machine has, before the stack."""
    with run_proxy(request.param, stack.port, tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def one_proxy(stack: LiveStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy that most is tried through."""
    with run_proxy(main_proxy(), stack.port, tmp_path_factory.mktemp("one-proxy")) as proxy:
        yield proxy


@pytest.fixture
def make_client(stack: LiveStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Proxy], Client]]:
    """Makes clients that reach the stack through a proxy, and trust its certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    clients: list[Client] = []

    def make(proxy: Proxy) -> Client:
        clients.append(Client(proxy.url, (stack.data_dir / "api-key").read_text().strip()))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def raw(stack: LiveStack) -> Iterator[Callable[[Proxy], httpx2.Client]]:
    """Makes plain HTTP clients that reach the stack through a proxy, with its key."""
    clients: list[httpx2.Client] = []

    def make(proxy: Proxy) -> httpx2.Client:
        clients.append(proxy.client(headers={"Authorization": stack.client.headers["Authorization"]}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def read_events(answer: httpx2.Response, limit: int) -> list[dict[str, Any]]:
    """The next events of a stream, which goes on."""
    events: list[dict[str, Any]] = []
    for line in answer.iter_lines():
        if line.startswith("data:"):
            events.append(json.loads(line[5:]))
            if len(events) == limit:
                return events
    raise AssertionError(f"the stream ended after {events}")


def test_a_job_is_submitted_followed_and_fetched_through_a_proxy(
    proxy: Proxy, make_client: Callable[[Proxy], Client], tmp_path: Path
) -> None:
    client = make_client(proxy)

    job = client.jobs.create({**ENDLESS, "training": {"epochs": 3}}, idempotency_key=f"through-{proxy.name}")
    again = client.jobs.create({**ENDLESS, "training": {"epochs": 3}}, idempotency_key=f"through-{proxy.name}")
    seqs = [event["seq"] for event in job.events()]
    job.wait(30, progress=False)
    saved = job.download(tmp_path)

    assert again.id == job.id
    assert seqs == list(range(1, len(seqs) + 1))
    assert job.state == "succeeded"
    assert {path.name for path in saved} >= {"model.safetensors", "log.txt"}
    assert all(link.startswith(f"{PUBLIC_URL}/v1/") for link in job.links.values())


def test_events_come_through_a_proxy_while_they_happen_and_are_resumed_where_they_broke(
    proxy: Proxy, stack: LiveStack, raw: Callable[[Proxy], httpx2.Client]
) -> None:
    client = raw(proxy)
    job_id = client.post("/v1/jobs", json=ENDLESS).json()["id"]
    path = f"/v1/jobs/{job_id}/events"
    asks = {**STREAM, "Accept-Encoding": "gzip, zstd, br"}

    # The job has no end: what a proxy held back or gathered up would never come.
    with client.stream("GET", path, headers=asks) as answer:
        first = read_events(answer, 5)
    with client.stream("GET", path, headers={**asks, "Last-Event-ID": str(first[-1]["seq"])}) as again:
        following = read_events(again, 3)
        stack.act(job_id, "cancel")
    stack.wait(job_id, "cancelled")

    assert "content-encoding" not in answer.headers
    assert [event["seq"] for event in first + following] == list(range(1, 9))


def test_the_api_sees_through_a_proxy_which_host_was_called_and_by_whom(
    proxy: Proxy, stack: LiveStack, raw: Callable[[Proxy], httpx2.Client]
) -> None:
    client = raw(proxy)
    marks = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": f"seen-{proxy.name}"}

    called = client.post("/v1/jobs?validate_only=true", json=ENDLESS, headers=marks)  # whose line is always in the log
    page = client.get("/v1/jobs", headers={"Origin": PUBLIC_URL, "Sec-Fetch-Site": "same-origin"})
    foreign = client.get("/v1/jobs", headers={"Origin": "https://elsewhere.example"})

    assert (called.status_code, page.status_code, foreign.status_code) == (200, 200, 403)
    lines = [json.loads(line) for line in stack.api.log_path.read_text().splitlines() if line.startswith("{")]
    (line,) = [one for one in lines if one.get("request_id") == f"seen-{proxy.name}" and one["event"] == "request"]
    # Caddy and Traefik believe nobody about earlier addresses unless they are told to: they say who called them.
    assert line["client"] == ("127.0.0.1" if proxy.name in ("caddy", "traefik") else "203.0.113.9")


def test_a_host_that_is_not_the_apis_is_refused_with_the_setting_to_change(
    one_proxy: Proxy, raw: Callable[[Proxy], httpx2.Client]
) -> None:
    client = raw(one_proxy)

    own = client.get("/v1/jobs", headers={"Host": NAME})
    other = client.get("/v1/jobs", headers={"Host": "other.example.org"})

    assert own.status_code == 200
    assert (other.status_code, other.json()["type"]) == (403, "urn:regcore:problem:foreign_host")
    assert "REGCORE_PUBLIC_URL" in other.json()["detail"]


def test_a_body_that_is_too_large_is_refused_by_the_api_and_one_far_beyond_by_the_proxy(
    one_proxy: Proxy, make_client: Callable[[Proxy], Client]
) -> None:
    client = make_client(one_proxy)

    refusals = []
    for size_bytes in (1_500_000, 3_000_000):
        with pytest.raises(APIError) as caught:
            client.jobs.create({**ENDLESS, "name": "x" * size_bytes})
        refusals.append(caught.value)

    assert [error.status for error in refusals] == [413, 413]
    assert "1,000,000 bytes" in str(refusals[0])


@contextmanager
def api_away(stack: LiveStack, proxy: Proxy) -> Iterator[None]:
    """The api is killed, and started again after what is done meanwhile and fifty answers of the proxy's own."""
    stack.api.kill()
    answers: list[int] = []
    try:
        yield
        with proxy.client() as client:
            stack.wait_for(lambda: answers.append(client.get("/healthz").status_code) or len(answers) == 50)
    finally:
        stack.api.start()
        stack.await_api()
    assert set(answers) == {502}


@pytest.fixture
def paused(stack: LiveStack) -> str:
    """A job that goes on when it is told to, and then ends soon."""
    job_id = stack.submit({**ENDLESS, "training": {"epochs": 400}})
    stack.act(job_id, "pause")
    stack.wait(job_id, "paused")
    return job_id


@pytest.mark.parametrize("what", ["wait", "events"])
def test_who_waits_behind_a_proxy_waits_on_while_the_api_restarts(
    what: str,
    stack: LiveStack,
    one_proxy: Proxy,
    make_client: Callable[[Proxy], Client],
    paused: str,
) -> None:
    job = make_client(one_proxy).jobs.get(paused)
    follow = {"wait": lambda: job.wait(120, progress=False).state, "events": lambda: list(job.events())}[what]

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        with api_away(stack, one_proxy):
            pass
        stack.act(paused, "resume")
        found = following.result(120)

    if what == "wait":
        assert found == "succeeded"
    else:
        assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
        assert found[-1]["body"]["state"] == "succeeded"


def test_a_job_that_is_submitted_behind_a_proxy_while_the_api_restarts_is_there_once(
    stack: LiveStack, one_proxy: Proxy, make_client: Callable[[Proxy], Client]
) -> None:
    client = make_client(one_proxy)
    spec = {**ENDLESS, "training": {"epochs": 1}, "labels": {"made": "during-a-restart"}}

    with ThreadPoolExecutor(1) as pool:
        with api_away(stack, one_proxy):
            submitting = pool.submit(client.jobs.create, spec)
        job = submitting.result(60)

    listed = stack.get("/v1/jobs?label=made:during-a-restart")["data"]
    assert [one["id"] for one in listed] == [job.id]
