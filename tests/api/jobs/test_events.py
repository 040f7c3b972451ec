import asyncio
import re
import time
from contextlib import aclosing
from typing import Any

import pytest
from fastapi.testclient import TestClient
from one_job import append

import api.jobs.events
from api.jobs.events import EventStream
from api.services import Services
from jobs.errors import JobNotFoundError, StoreUnavailableError
from jobs.model import NewRecord, RecordRow


def collect(client: TestClient, stream: EventStream, num_lines: int | None = None) -> list[str]:
    """Every line until the stream ends, or so many; read in the app's own event loop, as wake-ups must be."""

    async def read() -> list[str]:
        found: list[str] = []
        async with asyncio.timeout(20), aclosing(stream.lines()) as lines:
            async for line in lines:
                found.append(line.decode())
                if len(found) == num_lines:
                    break
        return found

    assert client.portal is not None
    return client.portal.call(read)


@pytest.mark.parametrize(("num_left", "has_ended"), [(0, True), (1, False)])
def test_a_log_has_ended_for_whoever_has_its_last_event(
    num_left: int, has_ended: bool, services: Services, finished: str
) -> None:
    last_seq = services.store.records("default", finished, 0, 1000)[-1].seq

    assert EventStream(services, "default", finished, last_seq - num_left).has_ended() is has_ended


def test_a_running_jobs_log_has_not_ended(services: Services, running: tuple[str, int]) -> None:
    assert EventStream(services, "default", running[0], 1000).has_ended() is False


def test_another_tenants_log_is_not_found(services: Services, finished: str) -> None:
    with pytest.raises(JobNotFoundError):
        EventStream(services, "other", finished, 0).has_ended()


def test_a_stream_begins_with_how_soon_to_reconnect(client: TestClient, services: Services, finished: str) -> None:
    first = collect(client, EventStream(services, "default", finished, 0))[0]

    assert "retry: 1000\n" in first
    assert first.endswith("\n\n")


def test_text_with_line_breaks_stays_one_event(
    client: TestClient, services: Services, running: tuple[str, int]
) -> None:
    job_id, run_id = running
    last_seq = services.store.records("default", job_id, 0, 1000)[-1].seq
    append(services.store, run_id, job_id, [NewRecord("log", {"message": "a\n\nid: 9\r\nb"}, time.time())])

    event = collect(client, EventStream(services, "default", job_id, last_seq), 2)[1]

    assert event.count("\n\n") == 1
    assert "\nid: 9\n" not in event


@pytest.mark.parametrize("read_at_once", [1, 5])
def test_a_long_log_comes_whole_however_it_is_read(
    read_at_once: int, client: TestClient, services: Services, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.jobs.events, "_READ_AT_ONCE", read_at_once)
    seqs = [row.seq for row in services.store.records("default", finished, 0, 1000)]

    lines = collect(client, EventStream(services, "default", finished, 0))[1:]

    assert [int(re.findall("^id: (.*)$", line, re.MULTILINE)[0]) for line in lines] == seqs


@pytest.mark.parametrize("beyond", [0, 1, 1_000_000])
def test_a_stream_of_a_job_that_ends_ends_wherever_it_began(
    beyond: int, client: TestClient, services: Services, finished: str
) -> None:
    last_seq = services.store.log_head("default", finished).last_seq

    lines = collect(client, EventStream(services, "default", finished, last_seq + beyond))

    assert len(lines) == 1


def test_a_database_that_is_away_for_a_while_does_not_end_the_stream(
    client: TestClient, services: Services, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = services.store.records
    failures = [StoreUnavailableError()]

    def read_at_the_second_try(_: object, *arguments: Any) -> list[RecordRow]:
        if failures:
            raise failures.pop()
        return read(*arguments)

    monkeypatch.setattr(type(services.store), "records", read_at_the_second_try)
    monkeypatch.setattr(api.jobs.events, "_POLL_S", 0.01)

    lines = collect(client, EventStream(services, "default", finished, 0))

    assert '"state":"succeeded"' in lines[-1]
