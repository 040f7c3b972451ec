import csv

import pytest
from one_job import append, requeue

from jobs.artifacts import ArtifactStore
from jobs.model import Capabilities, NewRecord
from worker.supervise.archive import archive, keep_file, logged_lines, metrics_rows

NUM_ROWS = 1_203  # more than a page


@pytest.fixture
def artifacts(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def job_id(store, submit):
    """A job that logged and measured, and was then cancelled while nobody had it."""
    job_id = submit("succeed").id
    run = store.claim("wrk_1", Capabilities(frozenset({"cpu"})))
    rows = [
        NewRecord("metrics", {"epoch": n, "step": n, "values": {"train/loss": 1 / n}, "non_finite": []}, n, f"step:{n}")
        for n in range(1, NUM_ROWS + 1)
    ]
    append(store, run.run_id, job_id, [NewRecord("log", {"message": "λ"}, 1.0), *rows])
    requeue(store, run.run_id, job_id)
    store.request_cancel("t", job_id)
    return job_id


def test_rows_and_lines_come_whole_and_in_order(store, job_id):
    assert [row["step"] for row in metrics_rows(store, "t", job_id)] == list(range(1, NUM_ROWS + 1))
    assert logged_lines(store, "t", job_id) == ["λ"]


def test_the_archive_is_the_log_with_its_end_and_every_metric(store, artifacts, job_id):
    rows = {row.name: artifacts.path(row.sha256).read_text() for row in archive(store, artifacts, "t", job_id)}

    assert rows["log.txt"] == "λ\ncancelled_by_user: A user cancelled the job.\n"
    table = list(csv.DictReader(rows["metrics.csv"].splitlines()))
    assert [int(row["step"]) for row in table] == list(range(1, NUM_ROWS + 1))


def test_a_kept_file_is_found_under_its_hash(artifacts, tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("words")

    row = keep_file(artifacts, path)

    assert (row.name, row.size_bytes, row.media_type) == ("log.txt", 5, "text/plain; charset=utf-8")
    assert artifacts.path(row.sha256).read_text() == "words"
