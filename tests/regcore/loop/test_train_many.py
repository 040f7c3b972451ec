import pytest
import torch

from regcore import Result, parse_spec, train, train_many
from regcore.errors import DivergedError, InvalidDataError, SpecError, TrainingStopped
from regcore.loop import run

DIABETES = {"kind": "builtin", "name": "diabetes"}


@pytest.fixture
def mixed(make_job):
    """Two that fuse, two that do not, one of another shape, and again one that fuses."""
    changes = [
        {"training": {"seed": 0}},
        {"fusion": "off"},
        {"optimizer": {"learning_rate": 0.2}},
        {"fusion": "off", "training": {"seed": 4}},
        {"model": {"hidden": [9]}},
        {"training": {"seed": 5}},
    ]
    return [
        make_job(**change | {"training": {"precision": "float64"} | change.get("training", {})}) for change in changes
    ]


@pytest.fixture
def fitting(monkeypatch):
    """Says how many train together, whatever the clock would say."""

    def let(size):
        monkeypatch.setattr(run, "fitting_size", lambda plan, num_members, source: size if plan.fusion_key else 1)

    return let


@pytest.mark.parametrize("size", [1, 2, 100])
def test_what_fuses_and_what_does_not_train_by_the_same_call_in_their_order(mixed, fitting, size):
    fitting(size)

    results = train_many(mixed)

    for result, job in zip(results, mixed, strict=True):
        solo = train(job)
        assert result.plan == solo.plan
        torch.testing.assert_close(result.model.state_dict(), solo.model.state_dict(), rtol=1e-8, atol=1e-8)
        assert result.metrics == pytest.approx(solo.metrics, rel=1e-8)


@pytest.mark.parametrize(
    ("size", "companions"),
    [
        (1, [[], [], [], [], [], []]),
        (2, [["2"], [], ["0"], [], [], []]),
        (100, [["2", "5"], [], ["0", "5"], [], [], ["0", "2"]]),
    ],
)
def test_each_says_with_whom_it_trained(mixed, fitting, size, companions):
    fitting(size)

    assert [result.fused_with for result in train_many(mixed)] == companions


def test_a_spec_that_is_alone_has_the_bits_of_train(make_job):
    (result,) = train_many([make_job()])

    assert result.weights_sha256 == train(make_job()).weights_sha256


def test_of_no_specs_there_are_no_results():
    assert train_many([]) == []


def test_a_clock_decides_how_many_where_nobody_else_does(make_job):
    results = train_many([make_job(training={"seed": seed}) for seed in range(3)])

    assert all(isinstance(result, Result) for result in results)


def test_records_come_with_the_place_of_their_spec(mixed, fitting):
    fitting(100)
    heard = []

    results = train_many(
        [parse_spec(job) for job in mixed], on_record=lambda place, record: heard.append((place, record))
    )

    for place, result in enumerate(results):
        bodies = [record.body for at, record in heard if at == place and record.kind == "metrics"]
        assert [body["values"] for body in bodies] == [row["values"] for row in result.history]


def test_one_that_diverges_is_an_error_in_its_place(make_job, fitting):
    fitting(100)
    jobs = [
        make_job(data=DIABETES, model={"kind": "linear"}, optimizer={"learning_rate": rate})
        for rate in (1e-3, 1e6, 1e-2)
    ]

    first, second, third = train_many(jobs)

    assert isinstance(first, Result)
    assert isinstance(second, DivergedError)
    assert isinstance(third, Result)


def test_bad_specs_are_all_named_by_their_place_and_nothing_is_trained(make_job):
    heard = []
    jobs = [make_job(), make_job(training={"epochs": 0}), make_job(init_from={"job_id": "job_" + "0" * 26})]

    with pytest.raises(SpecError) as caught:
        train_many(jobs, on_record=lambda place, record: heard.append(record))

    assert [error.pointer for error in caught.value.errors] == ["/1/training/epochs", "/2/init_from"]
    assert heard == []


def test_a_stop_ends_all_of_them(mixed, fitting):
    fitting(1)
    calls = []

    def should_stop():
        calls.append(None)
        return len(calls) == 12  # in the second pass

    with pytest.raises(TrainingStopped):
        train_many(mixed, should_stop=should_stop)

    assert len(calls) == 12


def test_data_that_cannot_be_read_end_the_call(make_job, tmp_path):
    jobs = [make_job(data={"kind": "torchvision", "name": "MNIST"}, training={"seed": seed}) for seed in range(2)]

    with pytest.raises(InvalidDataError):
        train_many(jobs, data_dir=tmp_path)
