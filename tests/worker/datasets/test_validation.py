"""A worker's reading of data sets, on a real store, with children that follow a script: each way in which it ends."""

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from supervising import in_background, wait_for

from jobs.artifacts import ArtifactStore
from jobs.model import Dataset, NewDataset
from jobs.settings import Settings
from jobs.store import Store
from worker.datasets.validation import Validator
from worker.surroundings import Surroundings

SCRIPTED = (sys.executable, str(Path(__file__).with_name("scripted_parser.py")))


@pytest.fixture
def make_validator(surroundings: Surroundings, tmp_path: Path) -> Callable[..., Validator]:
    """Make a worker's reader; each worker has temporary files of its own."""

    def make(worker_id: str = "wrk_1", around: Surroundings = surroundings, **settings: Any) -> Validator:
        changed = replace(around, settings=around.settings.model_copy(update=settings))
        return Validator(worker_id, changed, tmp_path / "tmp" / worker_id, SCRIPTED)

    return make


@pytest.fixture
def upload(store: Store, settings: Settings, tmp_path: Path) -> Callable[[str], Dataset]:
    """Store a file whose text is the child's script."""

    def upload(script: str) -> Dataset:
        file = tmp_path / "uploaded"
        file.write_text(script)
        sha256, size_bytes = ArtifactStore(settings.artifacts_dir).put(file)
        new = NewDataset(name="rows.csv", sha256=sha256, size_bytes=size_bytes, header="auto", format="auto")
        return store.create_dataset("t", new).dataset

    return upload


@pytest.fixture
def now(store: Store) -> Callable[[Dataset], Dataset]:
    return lambda dataset: store.get_dataset("t", dataset.id)


@pytest.fixture
def scratch(tmp_path: Path) -> Callable[[], list[Path]]:
    """What readers have left."""
    return lambda: sorted((tmp_path / "tmp").glob("*/parsing/*"))


def test_what_waits_is_read_and_ready(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    now: Callable[[Dataset], Dataset],
    store: Store,
    surroundings: Surroundings,
    scratch: Callable[[], list[Path]],
) -> None:
    first, second = upload("ready"), upload("ready ")

    make_validator().read_waiting()

    for dataset in (now(first), now(second)):
        assert (dataset.state, dataset.num_rows, dataset.num_columns) == ("ready", 1, 0)
        facts = store.dataset_facts("t", dataset.id)
        assert facts is not None
        assert facts["format"] == "csv"
        table = store.dataset_table(dataset.id)
        assert table is not None
        assert surroundings.artifacts.verify(table).read_bytes() == b"a table"
    assert store.preview_dataset("t", first.id) == {"columns": ["a"], "rows": [[1]]}
    assert scratch() == []


def test_a_file_that_cannot_be_read_is_invalid_and_says_where(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    now: Callable[[Dataset], Dataset],
    scratch: Callable[[], list[Path]],
) -> None:
    dataset = upload("invalid")

    make_validator().read_waiting()

    found = now(dataset)
    assert found.state == "invalid"
    assert found.state_reason == {
        "code": "invalid_data",
        "message": "Row 2 of rows.csv",
        "remedy": "Mend it.",
        "retryable": False,
        "details": {"row": 2},
    }
    assert scratch() == []


def test_a_file_that_takes_too_long_is_invalid(
    make_validator: Callable[..., Validator], upload: Callable[[str], Dataset], now: Callable[[Dataset], Dataset]
) -> None:
    dataset = upload("sleep")

    make_validator(parser_timeout_s=0.5).read_waiting()

    reason = now(dataset).state_reason
    assert reason is not None
    assert (reason["code"], reason["details"]) == ("max_runtime_exceeded", {"timeout_s": 0.5})
    assert "REGCORE_PARSER_TIMEOUT_S" in reason["remedy"]


def test_a_file_whose_bytes_were_lost_is_invalid(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    now: Callable[[Dataset], Dataset],
    surroundings: Surroundings,
) -> None:
    dataset = upload("ready")
    surroundings.artifacts.path(dataset.sha256).unlink()

    make_validator().read_waiting()

    reason = now(dataset).state_reason
    assert reason is not None
    assert reason["code"] == "internal_error"
    assert "its file is lost" in reason["message"]


def test_a_reader_that_is_killed_once_is_started_again(
    make_validator: Callable[..., Validator], upload: Callable[[str], Dataset], now: Callable[[Dataset], Dataset]
) -> None:
    dataset = upload("killed-once ready")

    make_validator().read_waiting()

    assert now(dataset).state == "ready"


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("killed", "parser_lost", "was killed by SIGKILL"),
        ("traceback", "parser_lost", "ended with status 1"),
        ("disk-full", "disk_full", "The disk"),
    ],
)
def test_a_file_that_ends_its_reader_three_times_is_invalid(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    now: Callable[[Dataset], Dataset],
    script: str,
    code: str,
    words: str,
) -> None:
    dataset = upload(script)
    validator = make_validator()

    def is_over() -> bool:
        validator.read_waiting()
        return now(dataset).state != "validating"

    wait_for(is_over)

    reason = now(dataset).state_reason
    assert reason is not None
    assert (reason["code"], reason["details"]["num_lost_attempts"]) == (code, 3)
    assert words in reason["message"]


def test_a_worker_that_shuts_down_gives_its_data_set_back(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    now: Callable[[Dataset], Dataset],
    surroundings: Surroundings,
    store: Store,
    scratch: Callable[[], list[Path]],
) -> None:
    dataset = upload("sleep")
    reading = in_background(make_validator().read_waiting)
    wait_for(scratch)

    surroundings.draining.set()
    reading.join()

    assert now(dataset).state == "validating"
    assert scratch() == []
    again = store.claim_dataset("wrk_2")
    assert again is not None
    assert (again.id, again.attempt) == (dataset.id, 2)


def test_a_claim_is_kept_for_as_long_as_the_reader_reads(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    surroundings: Surroundings,
    store: Store,
    scratch: Callable[[], list[Path]],
) -> None:
    upload("sleep")
    reading = in_background(make_validator(lease_s=0.6).read_waiting)
    wait_for(scratch)

    threading.Event().wait(1.2)
    expired = store.expire_dataset_leases()
    surroundings.draining.set()
    reading.join()

    assert expired == []


@pytest.mark.parametrize("fate", ["deleted", "taken"])
def test_a_reader_ends_as_soon_as_its_data_set_is_anothers_or_nobodys(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    store: Store,
    scratch: Callable[[], list[Path]],
    fate: str,
) -> None:
    dataset = upload("sleep")
    reading = in_background(make_validator(lease_s=0.6).read_waiting)
    wait_for(scratch)

    if fate == "deleted":
        store.delete_dataset("t", dataset.id)
    else:
        store.end_leases("wrk_1")
        store.expire_dataset_leases()
        wait_for(lambda: store.claim_dataset("wrk_2"))
    reading.join()

    assert scratch() == []


def test_no_two_workers_read_the_same_data_set(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    surroundings: Surroundings,
    scratch: Callable[[], list[Path]],
) -> None:
    upload("sleep")
    reading = in_background(make_validator("wrk_1").read_waiting)
    wait_for(scratch)

    make_validator("wrk_2", replace(surroundings, draining=threading.Event())).read_waiting()
    found = scratch()
    surroundings.draining.set()
    reading.join()

    assert [path.parts[-3] for path in found] == ["wrk_1"]


def test_a_worker_that_cannot_start_a_reader_gives_the_data_set_back(
    make_validator: Callable[..., Validator],
    upload: Callable[[str], Dataset],
    now: Callable[[Dataset], Dataset],
    tmp_path: Path,
) -> None:
    (tmp_path / "tmp").write_text("where the folder for temporary files should be")
    dataset = upload("ready")
    validator = make_validator()

    def is_over() -> bool:
        validator.read_waiting()
        return now(dataset).state != "validating"

    wait_for(is_over)

    reason = now(dataset).state_reason
    assert reason is not None
    assert (reason["code"], reason["details"]["num_lost_attempts"]) == ("internal_error", 3)
