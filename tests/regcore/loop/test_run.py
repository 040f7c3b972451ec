import itertools
import json
import math
import shutil

import pytest
import torch
from sklearn.linear_model import LinearRegression

from regcore import JobSpec, train
from regcore.checkpoint import checkpoints, load_newest, save_checkpoint
from regcore.data import source
from regcore.errors import CheckpointError, OutOfMemoryError, SpecError, TrainingStopped


def test_the_same_spec_twice_gives_the_same_bytes(make_job):
    job = make_job(regularizers=[{"kind": "dropout", "p": 0.3}, {"kind": "l1", "strength": 1e-3}])

    first, second = train(job), train(job)

    assert first.weights_sha256 == second.weights_sha256
    assert first.metrics == second.metrics


@pytest.mark.parametrize(
    "changes",
    [
        {"training": {"seed": 1}},
        {"optimizer": {"learning_rate": 0.02}},
        {"data": {"split_seed": 1}},
        {"regularizers": [{"kind": "dropout", "p": 0.3}]},
    ],
)
def test_another_spec_gives_other_bytes(make_job, changes):
    assert train(make_job(**changes)).weights_sha256 != train(make_job()).weights_sha256


def test_a_name_and_labels_change_no_weights(make_job):
    named = make_job(name="other", labels={"a": "b"}, priority="high")

    assert train(named).weights_sha256 == train(make_job()).weights_sha256


def test_dropout_of_0_and_strength_0_change_no_weights(make_job):
    idle = [{"kind": "dropout", "p": 0}, {"kind": "l1", "strength": 0}, {"kind": "weight_decay", "strength": 0}]

    assert train(make_job(regularizers=idle)).weights_sha256 == train(make_job()).weights_sha256


def test_drawing_from_torchs_own_generator_changes_nothing(make_job):
    job = make_job(regularizers=[{"kind": "dropout", "p": 0.3}])
    first = train(job)

    torch.manual_seed(123)

    assert train(job).weights_sha256 == first.weights_sha256


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("float64", torch.float64), ("bfloat16", torch.float32)]
)
def test_every_precision_learns(make_job, precision, dtype):
    job = make_job(
        training={"precision": precision, "epochs": 40},
        optimizer={"learning_rate": 0.1},
        regularizers=[{"kind": "dropout", "p": 0.1}],
    )

    result = train(job)

    assert result.metrics["train/accuracy"] > 0.8
    assert {weight.dtype for weight in result.model.state_dict().values()} == {dtype}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_every_optimizer_learns_with_every_regularizer(make_job, optimizer):
    regularizers = [
        {"kind": "l1", "strength": 1e-4},
        {"kind": "l2", "strength": 1e-4},
        {"kind": "elastic_net", "l1": 1e-4, "l2": 1e-4},
        {"kind": "weight_decay", "strength": 1e-4},
        {"kind": "dropout", "p": 0.1},
        {"kind": "dropout", "p": 0.1, "where": "input"},
        {"kind": "early_stopping", "patience": 100},
    ]
    rate = {"sgd": 0.1}.get(optimizer, 0.01)

    result = train(
        make_job(
            optimizer={"kind": optimizer, "learning_rate": rate},
            regularizers=regularizers,
            training={"epochs": 20, "batch_size": 16},
        )
    )

    assert result.metrics["train/accuracy"] > 0.8


def test_a_full_batch_is_one_step_an_epoch(make_job):
    result = train(make_job(training={"batch_size": "full", "epochs": 3}))

    assert (result.plan.batch_size, result.plan.num_steps) == (100, 3)
    assert result.history[-1]["step"] == 3


def test_a_linear_model_finds_the_least_squares_solution():
    spec = {
        "data": {"kind": "builtin", "name": "diabetes"},
        "model": {"kind": "linear"},
        "optimizer": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.95},
        "training": {"epochs": 3000, "batch_size": "full", "precision": "float64", "eval_every_epochs": 3000},
        "resources": {"device": "cpu"},
    }

    result = train(spec)

    data = result.data
    reference = LinearRegression().fit(data.train.x.numpy(), data.train.y.numpy())
    assert result.metrics["test/r2"] == pytest.approx(
        reference.score(data.test.x.numpy(), data.test.y.numpy()), abs=1e-6
    )


def test_class_weights_raise_the_recall_of_the_class(make_job):
    def recall_of_0(weights):
        data = {"kind": "builtin", "name": "breast-cancer"}
        result = train(make_job(data=data, model={"kind": "linear"}, task={"class_weights": weights}))
        said = result.model(result.data.train.x).argmax(-1)
        return ((said == 0) & (result.data.train.y == 0)).sum() / (result.data.train.y == 0).sum()

    assert recall_of_0([100.0, 1.0]) > recall_of_0([1.0, 100.0])


def test_weights_of_1_for_every_class_change_nothing(make_job):
    weighted = train(make_job(task={"class_weights": [1.0] * 10}))

    assert weighted.weights_sha256 == train(make_job()).weights_sha256


def test_balanced_classes_have_weights_of_1(make_job):
    job = make_job(data={"kind": "builtin", "name": "breast-cancer"}, task={"class_weights": "balanced"})

    result = train(job)

    counts = torch.bincount(result.data.train.y).double()
    written = (len(result.data.train) / (2 * counts)).tolist()
    explicit = train(job | {"task": {"class_weights": written}})
    assert result.metrics == pytest.approx(explicit.metrics, rel=1e-5)


def test_a_spec_object_and_its_json_train_alike(make_job):
    job = make_job()

    assert train(JobSpec.model_validate(job)).weights_sha256 == train(job).weights_sha256


def test_a_bad_spec_is_refused_before_anything_is_computed(make_job):
    records = []

    with pytest.raises(SpecError):
        train(make_job(training={"batch_size": 10_000}), on_record=records.append)

    assert records == []


def test_records_of_metrics_are_the_history(make_job):
    records = []

    result = train(make_job(), on_record=records.append)

    told = [record.body for record in records if record.kind == "metrics"]
    kept = [{key: row[key] for key in ("epoch", "step", "values", "non_finite")} for row in result.history]
    assert told == kept


def test_without_test_and_validation_rows_there_are_no_metrics_of_theirs(make_job):
    result = train(make_job(data={"test_fraction": 0, "validation_fraction": 0}))

    assert {name.partition("/")[0] for name in result.metrics} == {"train"}
    assert result.generalization_gap is None
    json.dumps(result.summary(), allow_nan=False)


@pytest.mark.parametrize("error", [MemoryError("no room"), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_that_runs_out_is_told_as_such(make_job, monkeypatch, error):
    def exhausted(*args, **kwargs):
        raise error

    monkeypatch.setattr(source, "prepare", exhausted)

    with pytest.raises(OutOfMemoryError, match="memory ran out") as caught:
        train(make_job())

    assert caught.value.retryable


def test_a_host_that_has_no_more_memory_is_told_as_such(make_job):
    with pytest.raises(OutOfMemoryError, match="memory ran out while training") as caught:
        train(make_job(), should_stop=lambda: torch.empty(10**15) is None)

    assert caught.value.reason()["remedy"].startswith("Lower training.batch_size")


def test_another_error_of_torch_is_not_taken_for_a_lack_of_memory(make_job):
    with pytest.raises(RuntimeError, match="must match the size"):
        train(make_job(), should_stop=lambda: torch.zeros(2) + torch.zeros(3))


def test_the_gap_is_the_difference_of_the_two_losses(make_job):
    result = train(make_job())

    assert result.generalization_gap == pytest.approx(result.metrics["test/loss"] - result.metrics["train/loss"])
    assert math.isfinite(result.generalization_gap)


# Checkpoints


def test_a_run_that_stops_early_tells_where(make_job):
    records = []
    stopping = {"kind": "early_stopping", "patience": 1, "min_delta": 100}

    result = train(make_job(regularizers=[stopping], training={"epochs": 1000}), on_record=records.append)

    last = [record.body for record in records if record.kind == "progress"][-1]
    assert last["epoch"] == len(result.history) < 1000


RESUMABLE = {
    "optimizer": {"kind": "adam", "learning_rate": 0.1},
    "regularizers": [{"kind": "dropout", "p": 0.2}, {"kind": "early_stopping", "patience": 9}],
    "training": {"epochs": 3},
}


@pytest.fixture(scope="module")
def resumable(make_job):
    return make_job(**RESUMABLE)


@pytest.fixture(scope="module")
def whole(resumable):
    """The result of a run that nothing interrupts, and what it told."""
    records = []
    return train(resumable, on_record=records.append), records


def interrupt(job, root, call, **options):
    """Stop a run when it asks for the n-th time, which is before its n-th step; gives what it told."""
    calls, records = itertools.count(1), []
    with pytest.raises(TrainingStopped):
        train(job, resume_from=root, should_stop=lambda: next(calls) == call, on_record=records.append, **options)
    return records


def bodies(records, kind):
    return [record.body for record in records if record.kind == kind]


def without_time(rows):
    return [{key: value for key, value in row.items() if key != "at"} for row in rows]


@pytest.mark.parametrize("call", [1, 2, 4, 5, 11, 12])
def test_a_resumed_run_gives_what_an_uninterrupted_one_gives(resumable, whole, tmp_path, call):
    interrupt(resumable, tmp_path, call)

    result = train(resumable, resume_from=tmp_path)

    expected, _ = whole
    assert result.weights_sha256 == expected.weights_sha256
    assert without_time(result.history) == without_time(expected.history)
    assert result.selected_epoch == expected.selected_epoch
    assert result.metrics == expected.metrics
    assert result.report == expected.report
    assert result.is_exact


def test_a_run_that_is_interrupted_before_every_step_gives_the_same_bits(resumable, whole, tmp_path):
    for _ in range(11):
        interrupt(resumable, tmp_path, 2)

    result = train(resumable, resume_from=tmp_path)

    assert load_newest(tmp_path).step == 11
    assert result.weights_sha256 == whole[0].weights_sha256


def test_records_of_a_resumed_run_go_on_where_those_before_stopped(resumable, whole, tmp_path):
    runs = [interrupt(resumable, tmp_path, 6), interrupt(resumable, tmp_path, 5), []]

    train(resumable, resume_from=tmp_path, on_record=runs[2].append)

    assert [bodies(run, "log") for run in runs] == [
        [],
        [{"message": "going on from the checkpoint of step 5"}],
        [{"message": "going on from the checkpoint of step 9"}],
    ]
    assert bodies(itertools.chain(*runs), "metrics") == bodies(whole[1], "metrics")


def test_a_run_that_is_to_stop_is_saved_first(resumable, tmp_path):
    records = interrupt(resumable, tmp_path, 6)

    (told,) = bodies(records, "checkpoint")
    assert (told["step"], told["epoch"]) == (5, 1)
    assert [(step, path.name) for step, path in checkpoints(tmp_path)] == [(5, told["name"])]


def test_what_should_stop_raises_ends_the_run_without_a_checkpoint(resumable, tmp_path):
    def lost():
        raise ConnectionError("the supervisor is gone")

    with pytest.raises(ConnectionError):
        train(resumable, resume_from=tmp_path, should_stop=lost)

    assert list(tmp_path.iterdir()) == []


def test_a_run_is_saved_on_its_way(make_job, tmp_path):
    job, records = make_job(training={"checkpoint_every_s": 1e-9}), []

    train(job, resume_from=tmp_path, on_record=records.append)

    told = [body["name"] for body in bodies(records, "checkpoint")]
    assert told
    assert sorted(path.name for path in tmp_path.iterdir()) == told[-2:]


def test_a_finished_run_called_again_gives_its_result_again(make_job, tmp_path):
    job = make_job(**RESUMABLE | {"training": {"epochs": 3, "checkpoint_every_s": 1e-9}})
    first, records = train(job, resume_from=tmp_path), []

    again = train(job, resume_from=tmp_path, on_record=records.append)

    assert len(bodies(records, "log")) == 1
    assert again.summary() == first.summary()
    assert without_time(again.history) == without_time(first.history)


@pytest.mark.parametrize("as_path", [str, lambda path: path])
def test_a_directory_that_is_not_there_yet_is_begun(resumable, whole, tmp_path, as_path):
    root = tmp_path / "not" / "yet"
    interrupt(resumable, as_path(root), 4)

    result = train(resumable, resume_from=as_path(root))

    assert [step for step, _ in checkpoints(root)] == [3]
    assert result.weights_sha256 == whole[0].weights_sha256


def test_without_a_directory_nothing_is_saved(resumable, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records, calls = [], itertools.count()

    with pytest.raises(TrainingStopped):
        train(resumable, should_stop=lambda: next(calls) == 3, on_record=records.append)

    assert bodies(records, "checkpoint") == []
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_cannot_be_read_is_told_and_the_one_before_taken(resumable, whole, tmp_path):
    interrupt(resumable, tmp_path, 4)
    interrupt(resumable, tmp_path, 4)
    (tmp_path / "step-000000000006" / "state.json").unlink()
    records = []

    result = train(resumable, resume_from=tmp_path, on_record=records.append)

    (told,) = bodies(records, "warning")
    assert told["code"] == "checkpoint_unreadable"
    assert "step-000000000006: FileNotFoundError" in told["message"]
    assert bodies(records, "log") == [{"message": "going on from the checkpoint of step 3"}]
    assert result.weights_sha256 == whole[0].weights_sha256


def test_where_no_checkpoint_can_be_read_training_begins_anew(resumable, whole, tmp_path):
    interrupt(resumable, tmp_path, 4)
    shutil.rmtree(tmp_path / "step-000000000003")
    (tmp_path / "step-000000000003").mkdir()
    records = []

    result = train(resumable, resume_from=tmp_path, on_record=records.append)

    assert [told["code"] for told in bodies(records, "warning")] == ["checkpoint_unreadable"]
    assert bodies(records, "log") == []
    assert result.weights_sha256 == whole[0].weights_sha256


def test_another_jobs_checkpoints_are_refused_and_left_alone(resumable, make_job, tmp_path):
    interrupt(resumable, tmp_path, 4)

    with pytest.raises(CheckpointError, match=r"another spec: .*training\.seed"):
        train(make_job(**RESUMABLE | {"training": {"epochs": 3, "seed": 1}}), resume_from=tmp_path)

    assert load_newest(tmp_path).step == 3


def test_what_the_checkpoints_may_take_is_respected(resumable, whole, tmp_path):
    records = interrupt(resumable, tmp_path, 4, max_checkpoint_bytes=100)

    assert [told["code"] for told in bodies(records, "warning")] == ["checkpoint_failed"]
    assert bodies(records, "checkpoint") == []
    assert list(tmp_path.iterdir()) == []


def changed_environment(root, **changes):
    """As though the newest checkpoint had been written elsewhere."""
    newest = load_newest(root)
    newest.state["identity"]["environment"] |= changes
    save_checkpoint(root, newest.step, newest.state)


def test_a_run_that_was_begun_by_another_version_of_torch_is_not_exact(resumable, tmp_path):
    interrupt(resumable, tmp_path, 4)
    changed_environment(tmp_path, torch="1.0")
    interrupt(resumable, tmp_path, 4)

    result = train(resumable, resume_from=tmp_path)

    assert not result.is_exact
    assert result.summary()["exact"] is False


def test_a_run_goes_on_with_as_many_threads_as_it_was_begun_with(resumable, tmp_path):
    interrupt(resumable, tmp_path, 4)
    changed_environment(tmp_path, num_threads=3)
    before, seen = torch.get_num_threads(), set()

    result = train(resumable, resume_from=tmp_path, should_stop=lambda: seen.add(torch.get_num_threads()) or False)

    assert seen == {3}
    assert torch.get_num_threads() == before
    assert result.is_exact
