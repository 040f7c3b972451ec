"""What becomes of a run, in this process; `test_runner.py` has the real one."""

from dataclasses import replace

import pytest
import torch

from regcore import train
from regcore.record import Record
from regcore.spec import parse_spec
from worker import training
from worker.protocol import Run
from worker.training import execute, versions


class Commands:
    """Nobody asks for anything."""

    def should_stop(self):
        return False

    def accepted_step(self):
        return 0


class Events:
    """Keeps what would be sent."""

    def __init__(self):
        self.sent = []

    def send(self, event):
        self.sent.append(event)

    def recorder(self, job_id):
        return self.sent.append

    def flush_progress(self):
        pass


@pytest.fixture
def run(tmp_path):
    body = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "linear"},
        "training": {"epochs": 30, "checkpoint_every_s": 0.001},
    }
    spec = parse_spec(body).model_dump(mode="json")
    return Run(7, "job_1", spec, str(tmp_path), str(tmp_path / "saved"), 0, 10**9, str(tmp_path), "cpu", 1, 60.0)


def raising(error):
    def train(*args, **kwargs):
        raise error

    return train


def test_a_run_trains_and_saves_itself_where_it_is_told_to(run, tmp_path):
    events = Events()

    ended = execute(run, Commands(), events)

    assert (ended.outcome, ended.clean) == ("succeeded", True)
    assert (tmp_path / "model.safetensors").is_file()
    assert {record.kind for record in events.sent if isinstance(record, Record)} >= {"progress", "metrics"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (OSError(28, "No space left on device"), "internal_error"),
        (RuntimeError("a fault of ours"), "internal_error"),
    ],
)
def test_what_goes_wrong_is_a_reason_and_the_runner_is_not_used_again(run, monkeypatch, caplog, error, code):
    monkeypatch.setattr(training, "train", raising(error))

    ended = execute(run, Commands(), Events())

    assert (ended.outcome, ended.clean, ended.reason["code"]) == ("failed", False, code)
    assert ended.reason["remedy"]
    assert caplog.records[-1].exc_info[1] is error, "the log has its traceback"


def test_a_gpu_without_memory_is_a_reason_and_the_runner_is_not_used_again(run, monkeypatch):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    monkeypatch.setattr("regcore.loop.trainer.Trainer._step", raising(error))

    ended = execute(run, Commands(), Events())

    assert (ended.outcome, ended.clean, ended.reason["code"]) == ("failed", False, "out_of_memory")
    assert "CUDA out of memory" in ended.reason["message"]
    assert "batch_size" in ended.reason["remedy"]


def test_a_checkpoint_of_other_data_costs_the_steps_and_not_the_job(run, tmp_path):
    events = Events()
    other = {**run.spec, "training": {**run.spec["training"], "seed": 7}}
    execute(replace(run, spec=other), Commands(), Events())

    ended = execute(run, Commands(), events)

    warnings = [record.body for record in events.sent if isinstance(record, Record) and record.kind == "warning"]
    assert ended.outcome == "succeeded"
    assert [body["code"] for body in warnings] == ["checkpoint_refused"]
    assert "training.seed" in warnings[0]["message"]
    assert ended.result["weights_sha256"] == train(parse_spec(run.spec)).weights_sha256


def test_a_worker_says_which_torch_it_has():
    assert versions()["torch"] == str(torch.__version__)
