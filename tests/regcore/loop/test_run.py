import json
import math

import pytest
import torch
from sklearn.linear_model import LinearRegression

from regcore import JobSpec, train
from regcore.errors import InvalidDataError, OutOfMemoryError, SpecError
from regcore.loop import run as run_module


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

    assert set(result.metrics) == {"train/loss", "train/accuracy"}
    assert result.generalization_gap is None
    json.dumps(result.summary(), allow_nan=False)


@pytest.mark.parametrize("error", [MemoryError("no room"), torch.OutOfMemoryError("CUDA out of memory")])
def test_memory_that_runs_out_is_told_as_such(make_job, monkeypatch, error):
    def exhausted(*args, **kwargs):
        raise error

    monkeypatch.setattr(run_module, "prepare", exhausted)

    with pytest.raises(OutOfMemoryError, match="memory ran out") as caught:
        train(make_job())

    assert caught.value.retryable


def test_data_that_are_not_those_planned_for_are_refused(make_job, monkeypatch):
    prepare = run_module.prepare
    fewer = make_job(data={"train_limit": 99})

    monkeypatch.setattr(run_module, "prepare", lambda spec, *a, **k: prepare(JobSpec.model_validate(fewer), *a, **k))

    with pytest.raises(InvalidDataError, match=r"expected 100 train rows.*\(99, 1, 8, 8\)"):
        train(make_job())


def test_a_device_is_taken_by_name_and_auto_takes_what_there_is():
    assert run_module.choose_device("cpu").type == "cpu"
    assert run_module.choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_gap_is_the_difference_of_the_two_losses(make_job):
    result = train(make_job())

    assert result.generalization_gap == pytest.approx(result.metrics["test/loss"] - result.metrics["train/loss"])
    assert math.isfinite(result.generalization_gap)
