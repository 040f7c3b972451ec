"""Connections and the processes that share them, with real forks and threads."""

import faulthandler
import json
import os
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from regclient import Client, ClientClosedError, Job

NUM_GETS = 100


def in_child(work: Callable[[], object]) -> tuple[int, int]:
    """Start it in a fork of this process; the child's pid and where its result can be read, as JSON."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        faulthandler.dump_traceback_later(60, exit=True)  # a child that hangs says where
        try:
            os.write(write_end, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    return pid, read_end


def result_of(pid: int, read_end: int) -> Any:
    with os.fdopen(read_end, "rb") as file:
        written = file.read()
    os.waitpid(pid, 0)
    return json.loads(written or b'"the child died"')


def test_two_children_of_a_fork_each_get_their_own_answers(server: Any) -> None:
    with Client() as client:
        ids = [client.jobs.create({"name": name}).id for name in ("one", "two", "parent")]  # and a connection is open

        def names(job_id: str) -> list[str | None]:
            return sorted({client.jobs.get(job_id).name or "" for _ in range(NUM_GETS)})

        children = [in_child(partial(names, job_id)) for job_id in ids[:2]]
        own = names(ids[2])

        assert [result_of(*child) for child in children] == [["one"], ["two"]]
        assert own == ["parent"]


def test_a_child_leaves_the_connections_of_its_parent_alone(server: Any) -> None:
    with Client() as client:
        job = client.jobs.create({})
        events = job.events()
        first = next(events)["seq"]  # the stream is open and half read

        in_the_child = result_of(*in_child(lambda: [event["seq"] for event in events]))
        in_the_parent = [event["seq"] for event in events]

        assert (first, in_the_child, in_the_parent) == (1, [2, 3, 4, 5, 6], [2, 3, 4, 5, 6])
        assert client.jobs.get(job.id).id == job.id


def test_a_child_that_closes_its_client_does_not_close_the_parent_s(server: Any) -> None:
    def close_and_ask() -> str:
        client.close()
        try:
            client.workers()
        except ClientClosedError as error:
            return str(error)
        return "answered"

    with Client() as client:
        client.workers()

        said = result_of(*in_child(close_and_ask))

        assert said.startswith("This client is closed")
        assert client.workers()


def test_a_fork_while_a_thread_is_asking_holds_nobody_up(server: Any) -> None:
    over = threading.Event()

    def keep_asking(client: Client) -> None:
        while not over.is_set():
            client.workers()

    with Client() as client, ThreadPoolExecutor(2) as threads:
        asking = [threads.submit(keep_asking, client) for _ in range(2)]
        try:
            answers = [result_of(*in_child(lambda: len(client.workers()))) for _ in range(10)]
        finally:
            over.set()

        assert answers == [1] * 10
        assert [one.result() for one in asking] == [None, None]


def test_threads_share_a_client(server: Any) -> None:
    with Client() as client, ThreadPoolExecutor(8) as threads:
        ids = [client.jobs.create({"name": str(number)}).id for number in range(8)]

        found = list(threads.map(lambda job_id: client.jobs.get(job_id).id, ids * 10))

    assert found == ids * 10


def test_a_client_that_was_closed_says_so(server: Any) -> None:
    with Client() as client:
        job = client.jobs.create({})
    client.close()

    for ask in (client.workers, job.refresh, lambda: list(job.events()), lambda: job.download("nowhere")):
        with pytest.raises(ClientClosedError, match=r"Make another: `Client\(\)`"):
            ask()


def test_neither_a_client_nor_its_handles_are_pickled_and_the_error_says_what_to_do(server: Any) -> None:
    with Client() as client:
        job: Job = client.jobs.create({})

        for shared in (client, client.jobs, job):
            with pytest.raises(TypeError, match=r"client\.jobs\.get\(job_id\)"):
                pickle.dumps(shared)
