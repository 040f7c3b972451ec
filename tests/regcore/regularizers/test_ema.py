import itertools

import pytest
import torch
from effects import bind_effect

from regcore import make_plan, train
from regcore.at import At
from regcore.regularizers.ema import Ema


def test_the_average_follows_the_recurrence_of_each_member():
    assert Ema.formula == "w̄ ← d·w̄ + (1 − d)·w after each step, from w̄ = w₀ on;  w̄ is the finished model"
    weights = {"head.weight": torch.full((2, 1, 1), 8.0, dtype=torch.float64)}
    effect = bind_effect([Ema(decay=0.5), Ema(decay=0.75)], weights)

    for step, value in enumerate([4.0, 2.0]):
        weights["head.weight"].fill_(value)
        effect.after_step(weights, None, At(step, 1, 2))

    finished = effect.weights(weights, At(1, 1, 2, training=False))
    assert finished["head.weight"].flatten().tolist() == [4.0, 0.75 * (0.75 * 8 + 0.25 * 4) + 0.25 * 2]
    assert effect.weights(weights, At(1, 1, 2)) is weights


def test_buffers_are_averaged_and_counters_are_as_they_are():
    tensors = {"norm.mean": torch.zeros(1, 3), "norm.count": torch.zeros(1, dtype=torch.int64)}
    effect = bind_effect([Ema(decay=0.5)], tensors)
    tensors["norm.mean"].fill_(1.0)
    tensors["norm.count"].fill_(7)

    effect.after_step(tensors, None, At(0, 1, 1))

    finished = effect.weights(tensors, At(0, 1, 1, training=False))
    assert finished["norm.mean"].tolist() == [[0.5, 0.5, 0.5]]
    assert finished["norm.count"].tolist() == [7]


def averaged_by_hand(make_trainer, job, decay):
    """The average after each epoch, from the weights that the same job has without it after every step."""
    trainer = make_trainer(job | {"regularizers": []})
    stack = trainer.stack
    average = {name: tensor.detach().clone() for name, tensor in stack.network.tensors.items()}
    for epoch, position in itertools.product(range(job["training"]["epochs"]), range(stack._lead.steps_per_epoch)):
        stack.advance(stack.rows(epoch, position))
        average = {name: decay * average[name] + (1 - decay) * w for name, w in stack.network.tensors.items()}
        if position + 1 == stack._lead.steps_per_epoch:
            yield {name: tensor.detach()[0] for name, tensor in average.items()}


@pytest.mark.parametrize("selecting", [[], [{"kind": "early_stopping", "patience": 100}]], ids=["last", "selected"])
def test_the_average_is_what_is_finished_and_what_early_stopping_selects(make_job, make_trainer, selecting):
    job = make_job(
        optimizer={"kind": "sgd", "learning_rate": 1.5, "momentum": 0.0},
        training={"epochs": 6, "batch_size": 20, "precision": "float64"},
    )

    result = train(job | {"regularizers": [{"kind": "ema", "decay": 0.7}, *selecting]})

    expected = list(averaged_by_hand(make_trainer, job, 0.7))[result.selected_epoch - 1]
    assert (result.selected_epoch < 6) == bool(selecting)
    torch.testing.assert_close(dict(result.model.state_dict()), expected)


def test_it_averages_from_the_starting_weights_on(make_job, tmp_path):
    train(make_job()).save(tmp_path)
    frozen = make_job(
        optimizer={"kind": "sgd", "learning_rate": 1e-300}, regularizers=[{"kind": "ema", "decay": 0.999}]
    )

    result = train(frozen, starting_weights=tmp_path / "model.safetensors")

    torch.testing.assert_close(result.model.state_dict(), train(make_job()).model.state_dict(), rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("regularizers", "codes"),
    [
        ([{"kind": "ema", "decay": 0.5}], []),
        ([{"kind": "ema", "decay": 0.999}], ["average_too_long"]),
        ([{"kind": "ema", "decay": 0.5}, {"kind": "spectral_norm"}], ["average_with_spectral_norm"]),
    ],
)
def test_it_warns_of_what_makes_the_average_another(make_job, regularizers, codes):
    assert [warning.code for warning in make_plan(make_job(regularizers=regularizers)).warnings] == codes
