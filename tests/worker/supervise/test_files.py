import csv
import tempfile
from pathlib import Path

import pytest

from worker.supervise.files import (
    LogFollower,
    RunDirectory,
    remove_run,
    remove_temporary,
    run_ids,
    run_output,
    temporary_dir,
    temporary_files_in,
)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.txt"


def test_lines_are_given_once_and_only_when_complete(log):
    follower = LogFollower(log)
    log.write_bytes(b"one\ntw")

    first = follower.new_lines()
    log.write_bytes(b"one\ntwo\nthree")
    second = follower.new_lines()
    last = follower.new_lines(to_the_end=True)

    assert (first, second, last) == (["one"], ["two"], ["three"])


def test_a_log_that_is_not_there_yet_has_no_lines(log):
    assert LogFollower(log).new_lines() == []


def test_a_flood_of_lines_is_cut_with_one_notice(log):
    log.write_text("x\n" * 10_005)
    follower = LogFollower(log)

    lines = follower.new_lines(to_the_end=True)
    with log.open("a") as more:
        more.write("y\n" * 5)

    assert len(lines) == 10_001
    assert "the rest is not shown here" in lines[-1]
    assert follower.new_lines() == []


def test_a_log_of_exactly_the_limit_is_whole_and_the_next_line_gives_the_notice(log):
    log.write_text("x\n" * 10_000)
    follower = LogFollower(log)

    lines = follower.new_lines(to_the_end=True)
    with log.open("a") as more:
        more.write("y\n")

    assert lines == ["x"] * 10_000
    assert "the rest is not shown here" in follower.new_lines()[0]
    with log.open("a") as more:
        more.write("z\n")
    assert follower.new_lines() == []


def test_long_lines_and_bytes_that_are_no_text_are_made_storable(log):
    log.write_bytes(b"\xff\x00" + b"a" * 9_000 + b"\n")

    (line,) = LogFollower(log).new_lines()

    assert line.startswith("\ufffd\ufffdaaa")
    assert len(line) == 4_000


def test_only_a_success_stores_more_than_log_and_metrics(tmp_path):
    directory = RunDirectory(tmp_path, 7, "job_1")
    directory.write_metrics([{"seq": 3, "epoch": 1, "step": 5, "at": 0.0, "values": {"train/loss": 0.5}}])
    (directory.path / "model.safetensors").write_bytes(b"half")

    assert [path.name for path in directory.files(all_artifacts=False)] == ["log.txt", "metrics.csv"]
    assert [path.name for path in directory.files(all_artifacts=True)] == [
        "log.txt",
        "metrics.csv",
        "model.safetensors",
    ]
    rows = list(csv.DictReader((directory.path / "metrics.csv").read_text().splitlines()))
    assert rows[0]["train/loss"] == "0.5"


def test_the_tail_is_the_last_lines_and_removing_leaves_nothing(tmp_path):
    directory = RunDirectory(tmp_path, 7, "job_1")
    for number in range(30):
        directory.write_log(f"line {number}")

    tail = directory.log_tail(num_lines=2)
    remove_run(tmp_path, 7)

    assert tail == ["line 28", "line 29"]
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_log_begins_with_what_earlier_runs_logged_and_does_not_tell_it_again(tmp_path):
    directory = RunDirectory(tmp_path, 8, "job_1")

    directory.begin_log(["first run", "λ"])
    directory.write_log("second run")

    assert directory.log.new_lines() == ["second run"]
    assert directory.log_path.read_text() == "first run\nλ\nsecond run\n"


def test_a_log_is_cut_at_its_largest_size(tmp_path):
    directory = RunDirectory(tmp_path, 8, "job_1")
    directory.write_log("x" * 50)

    directory.cap_log(100)
    whole = directory.log_path.stat().st_size
    directory.cap_log(10)

    assert (whole, directory.log_path.stat().st_size) == (51, 10)


def test_jobs_of_one_run_have_a_folder_each_and_a_common_output(tmp_path):
    directories = [RunDirectory(tmp_path, 7, job_id) for job_id in ("job_1", "job_2")]
    run_output(tmp_path, 7).write_text("printed by all\n")

    for directory in directories:
        directory.write_log(directory.path.name)

    assert [directory.log.new_lines() for directory in directories] == [["job_1"], ["job_2"]]
    assert LogFollower(run_output(tmp_path, 7)).new_lines() == ["printed by all"]
    assert run_ids(tmp_path) == {7}


def test_folders_of_runs_are_found_and_removed(tmp_path):
    assert run_ids(tmp_path) == set()
    for run_id in (3, 12):
        RunDirectory(tmp_path, run_id, "job_1")

    found = run_ids(tmp_path)
    remove_run(tmp_path, 3)

    assert found == {3, 12}
    assert run_ids(tmp_path) == {12}


def test_temporary_files_are_gone_with_their_folder(tmp_path):
    folder = temporary_dir(tmp_path, "wrk_1")

    with temporary_files_in(folder):
        Path(tempfile.mkdtemp()).joinpath("left").touch()
        num_inside = len(list(folder.iterdir()))
    after = tempfile.gettempdir()

    assert num_inside == 1
    assert not folder.exists()
    assert not Path(after).is_relative_to(tmp_path)


def test_only_workers_that_are_gone_lose_their_temporary_files(tmp_path):
    for worker_id in ("wrk_1", "wrk_2"):
        temporary_dir(tmp_path, worker_id).joinpath("regcore-x").mkdir(parents=True)

    remove_temporary(tmp_path, {"wrk_2"})
    remove_temporary(tmp_path / "without", set())

    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["wrk_2"]
