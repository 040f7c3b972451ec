import csv
from dataclasses import replace
from pathlib import Path

import pytest
from supervising import (
    folders,
    in_background,
    run_ids_of,
    text_of,
    wait_for_state,
)

from worker.protocol import Measure, Run
from worker.table_cache import TableCache


def test_a_success_has_its_records_result_usage_and_artifacts(store, submit, supervise, surroundings):
    job = submit("succeed")

    clean = supervise()

    ended = store.get("t", job.id)
    assert clean
    assert [step.state for step in ended.transitions] == ["queued", "starting", "running", "succeeded"]
    assert ended.result == {"metrics": {}, "fused_with": []}
    assert ended.progress["fraction"] == 1.0
    assert ended.usage["peak_memory_bytes"] > 0
    assert ended.usage["device_s"] > 0
    names = [row.name for row in store.artifacts("t", job.id)]
    assert names == ["log.txt", "metrics.csv", "model.json", "model.safetensors"]
    rows = list(csv.DictReader(text_of(surroundings, job, "metrics.csv").splitlines()))
    served = store.records("t", job.id, kinds=["metrics"])
    assert [(int(row["seq"]), float(row["train/loss"])) for row in rows] == [
        (record.seq, record.body["values"]["train/loss"]) for record in served
    ]
    assert [record.body for record in store.records("t", job.id, kinds=["log"])] == [{"message": "script succeed"}]
    assert list((surroundings.settings.data_dir / "runs").iterdir()) == []


def test_a_failure_has_its_reason_and_its_log(store, submit, supervise, surroundings):
    job = submit("fail")

    clean = supervise()

    ended = store.get("t", job.id)
    assert clean
    assert (ended.state, ended.state_reason["code"]) == ("failed", "diverged")
    assert text_of(surroundings, job, "log.txt") == "script fail\ndiverged: NaN\n"
    assert text_of(surroundings, job, "metrics.csv") == "seq,epoch,step,at\n"


@pytest.mark.parametrize(("script", "words"), [("crash", "SIGKILL"), ("exit-3", "status 3")])
def test_a_job_whose_runner_dies_is_tried_again_until_it_is_poisoned(
    store, submit, supervise, surroundings, start_scripted, pass_delays, script, words
):
    job = submit(script)
    states, cleans = [], []

    for _ in range(surroundings.settings.max_attempts):
        cleans.append(supervise())
        states.append(store.state("t", job.id))
        pass_delays()

    ended = store.get("t", job.id)
    assert states == ["queued", "queued", "failed"]
    assert cleans == [False] * 3
    assert [step.reason for step in ended.transitions if step.reason] == ["worker_lost", "worker_lost", "poisoned"]
    assert words in ended.state_reason["message"]
    assert ended.state_reason["details"]["log_tail"][-1] == f"script {script}"
    log = text_of(surroundings, job, "log.txt")
    assert log.count(f"script {script}\n") == 3, "the log tells of every run"
    assert [row.name for row in store.artifacts("t", job.id)] == ["log.txt", "metrics.csv"]


def test_a_runner_that_the_kernel_kills_for_memory_is_said_to_lack_it(
    store, submit, supervise, surroundings, pass_delays, monkeypatch
):
    kills = iter(range(100))
    monkeypatch.setattr("worker.supervise.supervisor.count_oom_kills", lambda: next(kills))
    job = submit("crash")

    for _ in range(surroundings.settings.max_attempts):
        supervise()
        pass_delays()

    ended = store.get("t", job.id)
    assert (ended.state, ended.state_reason["code"]) == ("failed", "out_of_memory")


def test_a_pause_saves_a_checkpoint_that_the_next_run_begins_with(store, submit, supervise, surroundings):
    job = submit("save")
    thread = in_background(supervise)
    wait_for_state(store, job, "running")

    store.request_pause("t", job.id)
    thread.join()
    paused = store.get("t", job.id)
    store.resume("t", job.id)
    thread = in_background(supervise)
    wait_for_state(store, job, "running")
    saved = sorted(path.relative_to(surroundings.settings.checkpoints_dir) for path in folders(surroundings, "step-*"))
    store.request_cancel("t", job.id)
    thread.join()

    assert (paused.state, paused.checkpoint["step"]) == ("paused", 7)
    first, second = run_ids_of(store)
    assert [str(path) for path in saved] == [f"{job.id}/{run}/step-000000000007" for run in (first, second)]
    assert store.state("t", job.id) == "cancelled"
    assert folders(surroundings, f"{second}") != [], "a rerun may go on from it for a while"


def test_records_are_written_a_few_times_a_second_however_many_there_are(store, submit, supervise, monkeypatch):
    job = submit("busy")
    sizes = []
    append_all = store.append_all

    def noting(run_id, records):
        sizes.append(len(records[job.id]))
        append_all(run_id, records)

    monkeypatch.setattr(store, "append_all", noting)
    supervise()

    assert len(store.records("t", job.id, kinds=["metrics"])) == 50
    assert len(sizes) < 15


def test_a_rung_is_judged_once_its_metrics_are_stored(store, submit, supervise, monkeypatch):
    job = submit("rung")
    stored = []

    def judge_rung(run_id, epoch, values, decide):
        stored.extend(record.body["step"] for record in store.records("t", job.id, kinds=["metrics"]))
        return dict.fromkeys(values, True)

    monkeypatch.setattr(store, "judge_rung", judge_rung)
    supervise()

    assert stored == [1]


def test_a_job_on_an_uploaded_table_gets_a_checked_copy_that_is_held_until_it_has_ended(
    store, submit_group, ready_dataset, supervise, surroundings, start_scripted, monkeypatch
):
    dataset_id = ready_dataset()
    submit_group("succeed", "succeed", dataset_id=dataset_id)
    crowded = replace(surroundings, tables=TableCache(surroundings.tables._folder, surroundings.artifacts, 0))
    runner = start_scripted()
    found, send = [], runner.send

    def look(command):
        if isinstance(command, Measure | Run):
            crowded.tables._make_room(1)  # as a run on another table does
            found.append((type(command), Path(command.table).read_bytes()))
        send(command)

    monkeypatch.setattr(runner, "send", look)
    supervise(crowded, runner)
    crowded.tables._make_room(1)

    assert found == [(Measure, b"rows"), (Run, b"rows")]
    assert list((surroundings.settings.data_dir / "tables").iterdir()) == []


@pytest.mark.parametrize("harm", ["lost", "changed"])
def test_a_job_whose_table_cannot_be_had_fails_and_says_what_to_do(
    store, submit_group, ready_dataset, supervise, surroundings, harm
):
    dataset_id = ready_dataset()
    jobs = submit_group("succeed", "succeed", dataset_id=dataset_id)
    stored = surroundings.artifacts.path(store.dataset_table(dataset_id).sha256)
    stored.unlink() if harm == "lost" else stored.write_bytes(b"ROWS")

    clean = supervise()

    ended = store.get("t", jobs[0].id)
    assert clean
    assert (ended.state, ended.state_reason["code"]) == ("failed", "invalid_data")
    assert dataset_id in ended.state_reason["message"]
    assert "upload its file again" in ended.state_reason["remedy"]
    assert "invalid_data" in text_of(surroundings, jobs[0], "log.txt")
    assert store.state("t", jobs[1].id) == "queued"
