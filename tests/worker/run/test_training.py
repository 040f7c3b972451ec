"""What becomes of a run, in this process; `test_runner.py` has the real one."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from regcore import Result, load_predictor, make_plan, train
from regcore.checkpoint import FORMAT
from regcore.data.source import TableSource
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.table import Table, read_table, write_table
from regcore.loop.group import Newcomer, train_group
from regcore.loop.stack import Stack
from regcore.spec import parse_spec
from worker.protocol import Assignment, Capacity, JobEnded, Judging, Measure, Run, Started, Wrote
from worker.run import training
from worker.run.pipes import Events
from worker.run.training import execute, find_capacity, versions


class Commands:
    """Asks for nothing but what it was made with."""

    def __init__(self, leaving=None, fallen=()):
        self._leaving = leaving or {}
        self._fallen = fallen

    def should_stop(self):
        return False

    def leaving(self):
        return self._leaving

    def accepted_step(self):
        return 0

    def wait_for_judgement(self, epoch):
        return list(self._fallen)


class Recorder(Events):
    """Keeps what would be sent."""

    def __init__(self):
        self._recorders = {}
        self._have_saved = set()
        self.sent = []

    def send(self, event):
        self.sent.append(event)

    def ends(self):
        return {event.job_id: event for event in self.sent if isinstance(event, JobEnded)}

    def records(self, job_id, kind):
        return [one.body for one in self.sent if isinstance(one, Wrote) and (one.job_id, one.kind) == (job_id, kind)]


def make_spec(**changes):
    body = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "linear"},
        "training": {"epochs": 3, "checkpoint_every_s": 0.001, **changes.pop("training", {})},
        **changes,
    }
    return parse_spec(body).model_dump(mode="json")


@pytest.fixture
def make_run(tmp_path):
    """A run of these specs, each job with a folder of its own."""

    def make_run(*specs):
        assignments = []
        for number, spec in enumerate(specs, 1):
            folder = tmp_path / f"job_{number}"
            folder.mkdir(exist_ok=True)
            assignments.append(Assignment(f"job_{number}", f"job_{number}", spec, str(folder), f"{folder}/log.txt"))
        here = str(tmp_path)
        ids = [assignment.job_id for assignment in assignments]
        return Run(7, assignments, ids, f"{here}/output.txt", f"{here}/saved", 0, 10**9, here, "cpu", 1, 60.0)

    return make_run


@pytest.fixture
def run(make_run):
    return make_run(make_spec(training={"epochs": 30}))


def raising(error):
    def train(*args, **kwargs):
        raise error

    return train


def test_a_run_trains_and_saves_itself_where_it_is_told_to(run, tmp_path):
    events = Recorder()

    finished = execute(run, Commands(), events)

    assert isinstance(events.sent[0], Started)
    assert finished.clean
    assert finished.peak_memory_bytes > 50 << 20
    assert events.ends()["job_1"].outcome == "succeeded"
    assert (tmp_path / "job_1" / "model.safetensors").is_file()
    assert events.records("job_1", "progress")[-1]["fraction"] == 1.0
    assert len(events.records("job_1", "metrics")) == 30


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out_of_memory"),
        (OSError(28, "No space left on device"), "disk_full"),
        (OSError(122, "Disk quota exceeded"), "disk_full"),
        (OSError(5, "Input/output error"), "internal_error"),
        (RuntimeError("a fault of ours"), "internal_error"),
    ],
)
def test_what_goes_wrong_is_a_reason_and_the_runner_is_not_used_again(run, monkeypatch, caplog, error, code):
    monkeypatch.setattr(training, "train_group", raising(error))
    events = Recorder()

    finished = execute(run, Commands(), events)

    ended = events.ends()["job_1"]
    assert (finished.clean, ended.outcome, ended.of_the_pass, ended.reason["code"]) == (False, "failed", True, code)
    assert ended.reason["remedy"]
    assert caplog.records[-1].exc_info[1] is error, "the log has its traceback"


def test_a_gpu_without_memory_is_a_reason_and_the_runner_is_not_used_again(make_run, monkeypatch):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    monkeypatch.setattr("regcore.loop.stack.Stack.advance", raising(error))
    events = Recorder()

    finished = execute(make_run(make_spec(), make_spec(training={"seed": 1})), Commands(), events)

    assert not finished.clean
    assert set(events.ends()) == {"job_1", "job_2"}
    for ended in events.ends().values():
        assert (ended.outcome, ended.of_the_pass, ended.reason["code"]) == ("failed", True, "out_of_memory")
        assert "CUDA out of memory" in ended.reason["message"]
        assert "batch_size" in ended.reason["remedy"]


def test_a_checkpoint_of_other_data_costs_the_steps_and_not_the_job(run, make_run):
    execute(make_run(make_spec(training={"epochs": 30, "seed": 7})), Commands(), Recorder())
    events = Recorder()

    execute(run, Commands(), events)

    (warning,) = events.records("job_1", "warning")
    ended = events.ends()["job_1"]
    assert ended.outcome == "succeeded"
    assert warning["code"] == "checkpoint_refused"
    assert "training.seed" in warning["message"]
    assert ended.result["weights_sha256"] == train(parse_spec(run.assignments[0].spec)).weights_sha256


def test_a_checkpoint_of_another_version_costs_the_steps_and_not_the_job(run, tmp_path):
    execute(run, Commands(), Recorder())
    manifests = list((tmp_path / "saved").glob("step-*/manifest.json"))
    for path in manifests:
        path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    events = Recorder()

    execute(run, Commands(), events)

    (refused,) = (one for one in events.records("job_1", "warning") if one["code"] == "checkpoint_refused")
    ended = events.ends()["job_1"]
    assert manifests
    assert refused["message"].startswith("The job begins anew: ")
    assert refused["message"].count(f"it has format 1, and this version of RegCore reads {FORMAT}") == len(manifests)
    assert ended.outcome == "succeeded"
    assert ended.result["weights_sha256"] == train(parse_spec(run.assignments[0].spec)).weights_sha256
    assert len(events.records("job_1", "metrics")) == 30, "every epoch was trained again"


# Several jobs in one pass


def test_each_job_of_a_pass_trains_as_it_would_alone(make_run, tmp_path):
    specs = [make_spec(training={"seed": seed, "precision": "float64"}) for seed in range(3)]
    events = Recorder()

    finished = execute(make_run(*specs), Commands(), events)

    assert finished.clean
    for number, spec in enumerate(specs, 1):
        job_id = f"job_{number}"
        alone = train(parse_spec(spec))
        result = events.ends()[job_id].result
        assert result["metrics"] == pytest.approx(alone.metrics, rel=1e-9)
        assert result["fused_with"] == [f"job_{other}" for other in (1, 2, 3) if other != number]
        assert len(events.records(job_id, "metrics")) == 3
        assert load_predictor(tmp_path / job_id).predict(alone.data.test.x[:5].numpy()) is not None
        assert "train/loss" in (tmp_path / job_id / "log.txt").read_text()


def test_one_that_diverges_leaves_the_others_as_they_would_be_alone(make_run, tmp_path):
    def of_rate(learning_rate):
        return make_spec(
            data={"kind": "builtin", "name": "diabetes"},
            optimizer={"kind": "sgd", "learning_rate": learning_rate},
            training={"epochs": 40, "precision": "float64"},
        )

    well, astray = [of_rate(0.01), of_rate(0.02)], of_rate(1e6)
    events = Recorder()

    finished = execute(make_run(well[0], astray, well[1]), Commands(), events)

    ends = events.ends()
    assert finished.clean
    assert (ends["job_2"].outcome, ends["job_2"].reason["code"]) == ("failed", "diverged")
    assert not ends["job_2"].of_the_pass
    assert not (tmp_path / "job_2" / "model.safetensors").exists()
    for job_id, spec in (("job_1", well[0]), ("job_3", well[1])):
        assert ends[job_id].result["metrics"] == pytest.approx(train(parse_spec(spec)).metrics, rel=1e-9)


def test_one_that_is_taken_out_is_saved_apart_and_goes_on_alone(make_run, tmp_path):
    specs = [make_spec(training={"seed": seed, "precision": "float64"}) for seed in range(2)]
    apart = tmp_path / "apart"
    events = Recorder()

    execute(make_run(*specs), Commands(leaving={"job_2": apart}), events)
    (saved,) = [body for body in events.records("job_2", "checkpoint") if body.get("apart")]
    folders = [path.name for path in apart.iterdir() if path.is_dir()]
    whole = make_run(*specs)
    alone = replace(whole, assignments=whole.assignments[1:], companions=["job_2"], checkpoints=str(apart))
    resumed = Recorder()
    execute(alone, Commands(), resumed)

    assert (events.ends()["job_1"].outcome, events.ends()["job_2"].outcome) == ("succeeded", "stopped")
    assert folders == [saved["name"]]
    result = resumed.ends()["job_2"].result
    assert result["exact"] is False, "it does not say that its bits are those of an undisturbed run"
    assert result["metrics"] == pytest.approx(train(parse_spec(specs[1])).metrics, rel=1e-9)


def test_one_that_is_cancelled_leaves_nothing(make_run, tmp_path):
    events = Recorder()
    specs = [make_spec(training={"seed": seed}) for seed in range(2)]

    execute(make_run(*specs), Commands(leaving={"job_1": None}), events)

    assert [event.outcome for event in events.ends().values()] == ["stopped", "succeeded"]
    assert not [body for body in events.records("job_1", "checkpoint") if body.get("apart")]


def test_one_that_its_sweep_stops_is_halved(make_run):
    events = Recorder()
    run = make_run(*[make_spec(training={"seed": seed}) for seed in range(2)])
    run = replace(run, assignments=[replace(assignment, rungs=[1]) for assignment in run.assignments])

    execute(run, Commands(fallen=["job_2"]), events)

    (judging,) = [event for event in events.sent if isinstance(event, Judging)]
    assert (judging.epoch, set(judging.values)) == (1, {"job_1", "job_2"})
    assert {job_id: event.outcome for job_id, event in events.ends().items()} == {
        "job_1": "succeeded",
        "job_2": "halved",
    }
    assert events.ends()["job_2"].reason["details"] == {
        "epoch": 1,
        "metric": "validation/loss",
        "value": judging.values["job_2"],
    }
    assert len(events.records("job_2", "metrics")) == 1


def test_one_whose_artifacts_cannot_be_made_costs_the_others_nothing(make_run, monkeypatch):
    save = Result.save

    def failing(result, directory):
        if result.plan.resolved_spec.training.seed == 1:
            raise ValueError("Out of range float values are not JSON compliant")
        save(result, directory)

    monkeypatch.setattr(Result, "save", failing)
    events = Recorder()

    finished = execute(make_run(*[make_spec(training={"seed": seed}) for seed in range(3)]), Commands(), events)

    ends = events.ends()
    assert [ends[f"job_{number}"].outcome for number in (1, 2, 3)] == ["succeeded", "failed", "succeeded"]
    assert ends["job_2"].reason["code"] == "internal_error"
    assert "Out of range float" in ends["job_2"].reason["message"]
    assert not ends["job_2"].of_the_pass
    assert finished.clean


def test_what_fails_in_a_step_is_of_the_pass_and_leaves_no_runner_to_trust(make_run, monkeypatch):
    def failing(stack, rows):
        raise OverflowError("Result too large")

    monkeypatch.setattr(Stack, "advance", failing)
    events = Recorder()

    finished = execute(make_run(*[make_spec(training={"seed": seed}) for seed in range(2)]), Commands(), events)

    assert not finished.clean
    for end in events.ends().values():
        assert (end.outcome, end.of_the_pass) == ("failed", True)
        assert end.reason["message"] == "step 1 failed with OverflowError: Result too large"


def test_a_job_starts_from_the_weights_that_it_is_given(make_run, tmp_path):
    execute(make_run(make_spec()), Commands(), Recorder())
    weights = tmp_path / "job_1" / "model.safetensors"
    weights.rename(tmp_path / "weights")
    run = make_run(make_spec(training={"epochs": 1}, optimizer={"kind": "sgd", "learning_rate": 1e-30}))
    assignment = replace(run.assignments[0], inputs={"init_from": str(tmp_path / "weights")})
    events = Recorder()

    execute(replace(run, assignments=[assignment], checkpoints=str(tmp_path / "others")), Commands(), events)

    assert events.ends()["job_1"].outcome == "succeeded"
    assert weights.read_bytes() == (tmp_path / "weights").read_bytes()


def test_weights_of_targets_as_they_are_go_on_where_targets_are_scaled(make_run, tmp_path):
    parts = {"model": {"kind": "linear"}, "optimizer": {"kind": "sgd", "learning_rate": 1e-30, "momentum": 0}}
    data = {"kind": "builtin", "name": "diabetes"}
    execute(make_run(make_spec(data={**data, "standardize_target": False}, **parts)), Commands(), Recorder())
    parent = load_predictor(tmp_path / "job_1")
    for name in ("model.safetensors", "model.json"):
        (tmp_path / "job_1" / name).rename(tmp_path / name)
    run = make_run(make_spec(data=data, **parts))
    assignment = replace(run.assignments[0], inputs={"init_from": str(tmp_path / "model.safetensors")})

    execute(replace(run, assignments=[assignment], checkpoints=str(tmp_path / "others")), Commands(), Recorder())

    rows = np.random.default_rng(0).normal(size=(5, 10))
    np.testing.assert_allclose(load_predictor(tmp_path / "job_1").predict(rows), parent.predict(rows), rtol=1e-4)


def test_a_size_is_measured_for_what_can_train_together(tmp_path):
    fit = Measure(make_spec(), 8, str(tmp_path), "cpu", 1, 60.0)

    capacity = find_capacity(fit)

    assert 1 <= capacity.num_members <= 8
    assert capacity.max_bytes > 10**6


def test_what_trains_alone_has_room_for_one(tmp_path):
    assert find_capacity(Measure(make_spec(fusion="off"), 8, str(tmp_path), "cpu", 1, 60.0)).num_members == 1


def test_what_cannot_be_measured_trains_alone(tmp_path):
    missing = make_spec(data={"kind": "torchvision", "name": "KMNIST"})

    assert find_capacity(Measure(missing, 8, str(tmp_path), "cpu", 1, 60.0)) == Capacity(1, 0)


def test_a_worker_says_which_torch_it_has():
    assert versions()["torch"] == str(torch.__version__)


@pytest.fixture
def own_table(tmp_path):
    """What a worker made of an uploaded file, and the data of a spec that trains on it."""
    dice = np.random.default_rng(1)
    age, plan = dice.normal(40, 12, 200), dice.integers(0, 3, 200)
    columns = pa.table(
        {
            "age": [f"{value:.1f}" for value in age],
            "plan": [("basic", "plus", "pro")[place] for place in plan],
            "churn": ["yes" if value > 45 or place == 2 else "no" for value, place in zip(age, plan, strict=True)],
        }
    )
    path = tmp_path / "0af3"
    write_table(path, Table(columns, find_facts(columns, format="csv")))
    return path, {"kind": "dataset", "id": f"ds_{'0' * 26}", "target": "churn"}


def test_jobs_train_together_on_an_uploaded_table_as_each_does_alone(make_run, own_table):
    path, data = own_table
    source = TableSource(read_table(path))
    specs = [
        make_spec(data=data, training={"epochs": 20, "precision": "float64"}, regularizers=[l2])
        for l2 in ({"kind": "l2", "strength": 0.01}, {"kind": "l2", "strength": 0.1})
    ]
    events = Recorder()

    finished = execute(replace(make_run(*specs), table=str(path)), Commands(), events)

    assert finished.clean
    for number, spec in enumerate(specs, 1):
        ((_, alone),) = train_group([Newcomer("alone", make_plan(spec, facts_of=source.facts))], source=source)
        result = events.ends()[f"job_{number}"].result
        assert result["metrics"] == pytest.approx(alone.metrics, rel=1e-9)
        assert result["metrics"]["test/accuracy"] > 0.7


def test_a_table_that_does_not_fit_the_spec_is_told_as_the_users_to_mend(make_run, own_table):
    path, data = own_table
    events = Recorder()

    execute(replace(make_run(make_spec(data={**data, "target": "chrun"})), table=str(path)), Commands(), events)

    reason = events.ends()["job_1"].reason
    assert reason["code"] == "invalid_data"
    assert "churn" in reason["message"]


def test_a_table_that_is_no_table_is_told(make_run, own_table):
    path, data = own_table
    path.write_bytes(b"PAR1 but no more")
    events = Recorder()

    execute(replace(make_run(make_spec(data=data)), table=str(path)), Commands(), events)

    assert events.ends()["job_1"].reason["code"] == "invalid_data"


def test_the_size_of_a_pass_is_found_on_the_table_itself(own_table, tmp_path):
    path, data = own_table
    fit = Measure(make_spec(data=data), 8, str(tmp_path), "cpu", 1, 60.0, str(path))

    found = find_capacity(fit)

    assert 1 <= found.num_members <= 8
    assert found.max_bytes > 0
