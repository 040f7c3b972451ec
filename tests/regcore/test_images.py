"""Networks for images, whole: members as their solo runs, the plain module, resume with buffers, prediction."""

import itertools

import numpy as np
import pytest
import torch

from regcore import load_predictor, make_plan, train
from regcore.artifacts import write_artifacts
from regcore.data.order import Order
from regcore.errors import TrainingStopped
from regcore.layers import build_module
from regcore.loop.group import Newcomer, train_group
from regcore.loop.network import first_tensors

CNN = {
    "kind": "layers",
    "layers": [
        {"kind": "conv2d", "channels": 4, "kernel_size": 3, "padding": 1},
        {"kind": "batch_norm"},
        {"kind": "activation", "name": "relu"},
        {"kind": "pool", "method": "max", "size": 2},
        {
            "kind": "residual",
            "layers": [
                {"kind": "conv2d", "channels": 4, "kernel_size": 3, "padding": "same"},
                {"kind": "batch_norm", "momentum": 0.3},
                {"kind": "activation", "name": "tanh"},
            ],
        },
        {"kind": "pool", "method": "mean", "size": 2},
        {"kind": "linear", "features": 8},
        {"kind": "batch_norm"},
        {"kind": "activation", "name": "tanh"},
        {"kind": "linear"},
    ],
}
REGULARIZERS = [{"kind": "dropout", "p": 0.1}, {"kind": "l2", "strength": 0.01}]


def job(make_job, *, seed=0, learning_rate=0.05, **training):
    return make_job(
        model=CNN,
        optimizer={"learning_rate": learning_rate},
        regularizers=REGULARIZERS,
        training={"precision": "float64", "seed": seed, "epochs": 2, "batch_size": 24} | training,
    )


@pytest.fixture(scope="module")
def result(make_job):
    return train(job(make_job))


@pytest.mark.parametrize("training", [{}, {"batch_size": 10, "grad_accumulation": 2}], ids=["plain", "accumulated"])
def test_a_member_ends_as_its_solo_run_its_buffers_too(make_job, training):
    jobs = [job(make_job, seed=seed, learning_rate=0.02 * (1 + seed), **training) for seed in range(3)]

    together = dict(train_group([Newcomer(str(k), make_plan(each)) for k, each in enumerate(jobs)]))

    for k, each in enumerate(jobs):
        solo = train(each)
        ours, theirs = together[str(k)].model.state_dict(), solo.model.state_dict()
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)
        assert together[str(k)].metrics == pytest.approx(solo.metrics, rel=1e-8, abs=1e-8)
        assert "residual1.batch_norm1.running_var" in ours


def test_the_finished_module_gives_the_outputs_that_were_measured(result):
    outputs = result.model(result.data.test.x)

    loss = torch.nn.functional.cross_entropy(outputs, result.data.test.y.long()).item()
    assert loss == pytest.approx(result.metrics["test/loss"], rel=1e-9)
    assert not result.model.training


def test_it_is_what_a_plain_torch_loop_trains(make_job):
    """The same rows, first values and steps; without dropout, whose masks are the engine's own."""
    spec = make_job(
        model=CNN,
        optimizer={"learning_rate": 0.05, "momentum": 0.9},
        training={"precision": "float64", "epochs": 1, "batch_size": 24, "seed": 3},
    )
    engine, plan = train(spec), make_plan(spec)
    net = build_module(plan.layers, plan.row).double().train()
    net.load_state_dict(first_tensors(plan.layers, plan.row, 3))
    split = engine.data.train
    order = Order(split, 24)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for step in range(plan.steps_per_epoch):
        (rows,) = order.rows((3,), 0, step)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(split.x[rows]), split.y[rows].long()).backward()
        optimizer.step()

    torch.testing.assert_close(engine.model.state_dict(), net.state_dict(), rtol=1e-9, atol=1e-9)


def test_a_run_that_stops_within_an_epoch_goes_on_to_the_same_bits(make_job, result, tmp_path):
    spec, asked = job(make_job), itertools.count()
    with pytest.raises(TrainingStopped):
        train(spec, resume_from=tmp_path, should_stop=lambda: next(asked) == 7)

    resumed = train(spec, resume_from=tmp_path)

    assert result.plan.steps_per_epoch == 5, "7 steps are to end within the second epoch"
    assert resumed.weights_sha256 == result.weights_sha256
    assert resumed.history[-1]["values"] == result.history[-1]["values"]


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_row_alone_is_predicted_as_in_a_crowd_by_the_model_from_its_files(result, tmp_path, num_threads):
    write_artifacts(result, tmp_path)
    predictor, before = load_predictor(tmp_path), torch.get_num_threads()
    raw = result.data.test.x[:70].numpy() * 16  # the pixels of digits are from 0 to 16
    torch.set_num_threads(num_threads)

    crowd = predictor.predict_proba(raw)
    alone = np.concatenate([predictor.predict_proba(row[None]) for row in raw])

    torch.set_num_threads(before)
    assert np.array_equal(alone, crowd)
    np.testing.assert_allclose(crowd, result.model(result.data.test.x[:70]).detach().softmax(1), rtol=1e-10)


def test_constant_units_are_channels_of_the_layer_that_feeds_an_activation(result):
    assert set(result.report["sparsity"]["dead_units"]) == {"batch_norm1", "residual1.batch_norm1", "batch_norm2"}
    assert {"conv2d1", "residual1.conv2d1", "linear1", "head"} == set(result.report["sparsity"]["by_layer"])
