"""What reads uploaded files is killed in the middle, alone or with its worker: each file ends ready or invalid.

On SQLite alone: the claims of data sets are tested on both databases with the store.
"""

import itertools
import json
import signal
from collections.abc import Iterator

import psutil
import pytest
from live_stack import FAULTY_WORKER, LiveStack, live_stack

from regcore import make_plan, parse_spec
from regcore.data.source import TableSource
from regcore.data.tables.table import read_table
from regcore.loop.group import Newcomer, train_group

ROWS = [{"age": age, "churn": age % 3 == 0} for age in range(200)]


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    folder = tmp_path_factory.mktemp("stack")
    with live_stack(folder, None, worker=FAULTY_WORKER, lease_s=2, reconcile_interval_s=0.2) as stack:
        yield stack


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
    stack.wait_for(lambda: temporary_files(stack) == [])  # deleted just after the set is ready


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
def test_a_worker_that_goes_leaves_what_it_reads_to_another(stack, second_worker, upload, number):
    name = f"slow-once-{number.name}"
    dataset_id = upload(name)
    stack.wait_for(lambda: (stack.data_dir / f"{name}.jsonl.seen").exists())
    (holder,) = (part for part in (stack.worker, second_worker) if readers(part))
    (reader,) = readers(holder)

    holder.send(number)

    check_ready(stack, dataset_id)
    assert not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def make_spec(stack, upload):
    """Makes jobs of a few seconds on an uploaded table."""

    def make_spec(epochs, fusion):
        dataset_id = upload("rows")
        check_ready(stack, dataset_id)
        return {
            "data": {"kind": "dataset", "id": dataset_id, "target": "churn"},
            "model": {"kind": "mlp", "hidden": [8]},
            "training": {"epochs": epochs, "checkpoint_every_s": 0.1},
            "fusion": fusion,
        }

    return make_spec


def test_a_job_on_an_uploaded_table_is_taken_up_exactly_by_another_worker(stack, second_worker, make_spec):
    spec = make_spec(epochs=400, fusion="off")
    with stack.slow_training():
        job_id = stack.submit(spec)
        stack.wait_for_step(job_id, 20)
        stack.act(job_id, "pause")
        paused = stack.wait(job_id, "paused")

        stack.act(job_id, "resume")
        stack.wait_for_step(job_id, paused["progress"]["step"] + 20)
        stack.worker_of(job_id).kill()
    job = stack.wait(job_id, "succeeded")

    (table,) = (TableSource(read_table(path)) for path in (stack.data_dir / "tables").iterdir())
    plan = make_plan(parse_spec(spec), facts_of=table.facts)
    ((_, alone),) = train_group([Newcomer("alone", plan)], source=table)
    assert job["attempt"] == 3
    assert job["result"]["exact"] is True
    assert job["result"]["weights_sha256"] == alone.weights_sha256


def test_a_sweep_on_an_uploaded_table_trains_as_one_and_holds_its_data_set(stack, make_spec):
    spec = make_spec(epochs=30, fusion="auto")
    dropout = [{"op": "add", "path": "/regularizers/-", "value": {"kind": "dropout", "p": 0.2}}]
    variants = [{"name": "dropout", "patch": dropout, "axes": [{"pointer": "/regularizers/0/p", "values": [0.1, 0.2]}]}]
    path = f"/v1/datasets/{spec['data']['id']}"

    answer = stack.client.post("/v1/sweeps", json={"base": spec, "variants": variants, "seeds": [0, 1, 2]})
    while_needed = stack.client.delete(path)
    sweep = answer.json()
    stack.wait_for(lambda: stack.get(f"/v1/sweeps/{sweep['id']}")["state"] not in ("queued", "running"))
    jobs = stack.get(f"/v1/jobs?sweep_id={sweep['id']}")["data"]

    assert (answer.status_code, while_needed.status_code) == (201, 409), answer.text
    assert [job["state"] for job in jobs] == ["succeeded"] * 6
    assert sum(len(job["result"]["fused_with"]) > 0 for job in jobs) >= 4
    assert stack.client.delete(path).status_code == 204
