"""From POST to model: real processes, real Redis, real HTTP, both databases. What may go wrong is in tests/faults."""

import csv
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.numpy import load_file

README = Path(__file__).parents[2] / "README.md"
CURL = Path(__file__).parents[1] / "support" / "curl"  # comes last on PATH: for a machine that has none
README_TIMEOUT_S = 120

DEMO = {
    "none": [],
    "l1": [{"kind": "l1", "strength": 1e-3}],
    "l2": [{"kind": "l2", "strength": 1e-2}],
    "dropout": [{"kind": "dropout", "p": 0.2}],
}


def demo_spec(name, epochs=3):
    return {
        "name": name,
        "data": {"kind": "builtin", "name": "mnist-5k"},
        "model": {"kind": "mlp", "hidden": [128]},
        "regularizers": DEMO[name],
        "training": {"epochs": epochs},
    }


LONG = demo_spec("none", epochs=10_000)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # as `make demo` has it
def test_the_four_demo_jobs_train_and_show_what_each_regularizer_does(stack):
    job_ids = {name: stack.submit(demo_spec(name)) for name in DEMO}

    jobs = {name: stack.wait(job_id, "succeeded") for name, job_id in job_ids.items()}

    for name, job in jobs.items():
        assert job["plan"]["num_parameters"] == 784 * 128 + 128 + 128 * 10 + 10
        assert job["result"]["metrics"]["test/accuracy"] > 0.6, name
        assert job["progress"]["fraction"] == 1.0
        assert [step["state"] for step in job["transitions"]] == ["queued", "starting", "running", "succeeded"]
        check_artifacts(stack, job)
    zeros = {name: job["result"]["sparsity"] for name, job in jobs.items()}
    assert zeros["l1"] > 0.02
    assert zeros["none"] == zeros["l2"] == zeros["dropout"]
    assert len({job["result"]["weights_sha256"] for job in jobs.values()}) == 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_student_learns_from_a_finished_job_and_one_to_begin_with(stack):
    teacher = stack.wait(stack.submit(demo_spec("none")), "succeeded")["id"]
    taught = {"kind": "knowledge_distillation", "teacher": {"job_id": teacher}, "alpha": 1.0}
    spec = {**demo_spec("none", epochs=1), "regularizers": [taught], "init_from": {"job_id": teacher}}

    job = stack.wait(stack.submit(spec), "succeeded")

    served = stack.client.get(f"/v1/jobs/{job['id']}/metrics").json()["data"]
    assert abs(served[-1]["values"]["objective/penalty.knowledge_distillation"]) < 1e-6  # it knows it all
    assert served[-1]["values"]["train/accuracy"] > 0.6
    assert stack.client.delete(f"/v1/jobs/{teacher}").status_code == 204


def check_artifacts(stack, job):
    listed = stack.client.get(f"/v1/jobs/{job['id']}/artifacts").json()["data"]
    names = {artifact["name"] for artifact in listed}
    assert names >= {"model.safetensors", "model.json", "metrics.csv", "report.json", "tensorboard.zip", "log.txt"}
    weights = next(artifact for artifact in listed if artifact["name"] == "model.safetensors")
    assert weights["sha256"] == job["result"]["weights_sha256"]
    text = stack.client.get(f"/v1/jobs/{job['id']}/artifacts/metrics.csv").text
    rows = list(csv.DictReader(text.splitlines()))
    served = stack.client.get(f"/v1/jobs/{job['id']}/metrics").json()["data"]
    assert [int(row["seq"]) for row in rows] == [row["seq"] for row in served]
    assert len(rows) == 3


def test_the_event_stream_resumes_where_it_broke(stack):
    job_id = stack.submit(demo_spec("none"))

    first = stack.stream(job_id, limit=4)
    rest = stack.stream(job_id, last_event_id=first[-1]["id"])
    again = stack.client.get(
        f"/v1/jobs/{job_id}/events",
        headers={"Accept": "text/event-stream", "Last-Event-ID": rest[-1]["id"]},
    )

    sequence = [int(event["id"]) for event in first + rest]
    assert sequence == list(range(1, len(sequence) + 1))
    assert (rest[-1]["data"]["kind"], rest[-1]["data"]["body"]["state"]) == ("state", "succeeded")
    steps = [event["data"]["body"]["step"] for event in first + rest if event["data"]["kind"] == "metrics"]
    assert steps == sorted(set(steps))
    assert len(steps) == 3
    assert again.status_code == 204


def test_a_cancel_stops_the_training_within_two_seconds(stack):
    job_id = stack.submit(LONG)
    stack.wait(job_id, "running")

    asked_at = time.monotonic()
    answer = stack.client.post(f"/v1/jobs/{job_id}/cancel")
    job = stack.wait(job_id, "cancelled")
    took_s = time.monotonic() - asked_at

    assert answer.status_code == 202
    # The promise itself, and so the one time that is asserted.
    assert took_s < 2
    assert job["state_reason"]["code"] == "cancelled_by_user"
    names = {one["name"] for one in stack.client.get(f"/v1/jobs/{job_id}/artifacts").json()["data"]}
    assert names == {"log.txt", "metrics.csv"}


def test_the_readmes_lines_for_curl_work_when_they_are_pasted_at_once(stack, tmp_path):
    (tmp_path / ".regcore").symlink_to(stack.data_dir)
    blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("http://127.0.0.1:8000", f"http://127.0.0.1:{stack.port}")
    # Any answer that is a refusal ends the script, also in front of a pipe.
    script = f'set -euo pipefail\ncurl() {{ command curl --fail-with-body "$@"; }}\n{lines}\necho; echo "$JOB $LONG"\n'
    path = f"{Path(sys.executable).parent}:{stack.environment['PATH']}:{CURL}"

    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=stack.environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=README_TIMEOUT_S,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    job_id, long_id = ran.stdout.splitlines()[-1].split()
    assert stack.job(job_id)["state"] == "succeeded"
    assert load_file(tmp_path / "model.safetensors")
    states = {step["state"] for step in stack.wait(long_id, "cancelled")["transitions"]}
    assert states & {"pausing", "paused"}
