"""What reads uploaded files is killed in the middle, alone or with its worker: each file ends ready or invalid.

On SQLite alone: the claims of data sets are tested on both databases with the store.
"""

import itertools
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from live_stack import LiveStack

FAULTY_WORKER = Path(__file__).with_name("faulty_worker.py")
ROWS = [{"age": age, "churn": age % 3 == 0} for age in range(200)]


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    stack = LiveStack(tmp_path_factory.mktemp("stack"), None, lease_s=2, reconcile_interval_s=0.2)
    stack.worker_command = [sys.executable, str(FAULTY_WORKER)]
    try:
        yield stack.start()
    finally:
        stack.close()


_numbers = itertools.count()


@pytest.fixture
def upload(stack):
    """Sends rows, other ones each time, under a name that says what their reader meets; returns the set's id."""

    def upload(name):
        rows = [*ROWS, {"age": next(_numbers), "churn": True}]
        body = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        media_type = {"Content-Type": "application/x-ndjson"}
        answer = stack.client.post(f"/v1/datasets?name={name}.jsonl", content=body, headers=media_type)
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    return upload


def readers(part):
    """What a worker reads files with, once it is about to read."""
    return [child for child in psutil.Process(part.pid).children() if child.cmdline()[:1] == ["regcore-parser"]]


def wait_until_read(stack, dataset_id):
    stack.wait_for(lambda: stack.get(f"/v1/datasets/{dataset_id}")["state"] != "validating")
    return stack.get(f"/v1/datasets/{dataset_id}")


def temporary_files(stack):
    """What readers have left; the folders of runners are made anew at any time."""
    return sorted((stack.data_dir / "tmp").glob("*/parsing/*"))


def check_ready(stack, dataset_id):
    dataset = wait_until_read(stack, dataset_id)
    assert (dataset["state"], dataset["state_reason"]) == ("ready", None)
    assert dataset["num_rows"] == len(ROWS) + 1
    assert temporary_files(stack) == []


def test_a_killed_reader_is_started_again(stack, upload):
    dataset_id = upload("slow-once-alone")
    stack.wait_for(lambda: (stack.data_dir / "slow-once-alone.jsonl.seen").exists())

    readers(stack.worker)[0].kill()

    check_ready(stack, dataset_id)


def test_a_file_that_kills_its_reader_three_times_is_invalid_and_the_worker_lives(stack, upload):
    dataset_id = upload("poison")

    dataset = wait_until_read(stack, dataset_id)

    assert (dataset["state"], dataset["state_reason"]["code"]) == ("invalid", "parser_lost")
    assert "SIGSEGV" in dataset["state_reason"]["message"]
    assert dataset["state_reason"]["details"]["num_lost_attempts"] == 3
    check_ready(stack, upload("harmless"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "shut-down"])
def test_a_worker_that_goes_leaves_what_it_reads_to_another(stack, upload, number):
    name = f"slow-once-{number.name}"
    dataset_id = upload(name)
    stack.wait_for(lambda: (stack.data_dir / f"{name}.jsonl.seen").exists())
    (reader,) = readers(stack.worker)
    stack.add_worker(2).start()
    stack.wait_for(lambda: stack.num_ready_workers() == 2)

    stack.worker.send(number)

    check_ready(stack, dataset_id)
    assert not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE
