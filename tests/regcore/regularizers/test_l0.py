import math

import numpy as np
import pytest
import torch
from effects import bind_effect
from safetensors.torch import load_file
from scipy import stats

from regcore import make_plan, train
from regcore.at import At
from regcore.errors import SpecError
from regcore.passes import Slope
from regcore.regularizers.l0 import L0
from regcore.shapes import TensorInfo

NAME, GATES = "head.weight", "l0.log_alpha.head.weight"
TRAINING, FINISHED = At(3, 10, 10, (5,)), At(3, 10, 10, (5,), training=False)


def bound(weight, **fields):
    """The effect for one member, and its tensors: the weight and the gates."""
    weights = {NAME: weight.unsqueeze(0)}
    effect = bind_effect([L0(**{"strength": 1.0} | fields)], weights)
    return effect, {**weights, **effect.adds(weights)}


def chance_of_being_open(log_alpha):
    """P(z ≠ 0): logistic noise of scale 1 carries the stretched gate above 0."""
    at_zero = 0.1 / 1.2  # where s·1.2 − 0.1 = 0
    return stats.logistic.sf(2 / 3 * math.log(at_zero / (1 - at_zero)) - log_alpha)


@pytest.mark.parametrize("log_alpha", [-4.0, -1.0, 0.0, 2.5])
def test_the_penalty_is_the_chance_with_which_drawn_gates_are_open(log_alpha):
    assert L0.formula == (
        "λ·Σ P(z ≠ 0),  P(z ≠ 0) = σ(log α − β·log(−γ/ζ));  w ← w·z,  z = min(1, max(0, s·(ζ − γ) + γ)),  "
        "s = σ((log u − log(1 − u) + log α)/β),  u ~ U(0, 1);  finished: s = σ(log α);  β = 2/3, γ = −0.1, ζ = 1.1"
    )
    weight = torch.ones(400, 250, dtype=torch.float64)
    effect, tensors = bound(weight, strength=0.5)
    tensors[GATES].fill_(log_alpha)

    penalty = effect.penalty(tensors, TRAINING)
    drawn = effect.weights(tensors, TRAINING)[NAME]

    expected = chance_of_being_open(log_alpha)
    assert penalty.tolist() == pytest.approx([0.5 * weight.numel() * expected])
    error = math.sqrt(expected * (1 - expected) / weight.numel())
    assert (drawn != 0).double().mean().item() == pytest.approx(expected, abs=4 * error)
    assert drawn.min() >= 0
    assert drawn.max() <= 1


def test_the_gates_begin_with_the_rate_that_each_member_says():
    weights = {NAME: torch.ones(2, 3, 4)}
    effect = bind_effect([L0(strength=1, dropout_rate=0.2), L0(strength=1, dropout_rate=0.5)], weights)

    gates = effect.adds(weights)[GATES]

    assert torch.equal(gates.flatten(1).amin(1), gates.flatten(1).amax(1))
    assert gates[:, 0, 0].sigmoid().tolist() == pytest.approx([0.8, 0.5])


@pytest.mark.parametrize(
    ("log_alpha", "gate"), [(-2.4, 0.0), (0.0, 0.5), (1.0, 1.2 / (1 + math.exp(-1)) - 0.1), (2.4, 1.0)]
)
def test_what_is_finished_has_gates_without_noise(log_alpha, gate):
    effect, tensors = bound(torch.full((2, 3), 3.0, dtype=torch.float64))
    tensors[GATES].fill_(log_alpha)

    finished = effect.weights(tensors, FINISHED)[NAME]

    assert finished.flatten().tolist() == pytest.approx([3 * gate] * 6, abs=0 if gate in (0.0, 1.0) else 1e-12)


@pytest.mark.parametrize("groups", ["weight", "output", "input"])
def test_its_gradient_is_that_of_the_penalty(groups):
    effect, tensors = bound(torch.ones(3, 4, dtype=torch.float64), strength=0.3, groups=groups)
    gates = torch.linspace(-2, 2, tensors[GATES].numel(), dtype=torch.float64).view_as(tensors[GATES])
    leaf = gates.clone().requires_grad_()
    size = 12 / gates.numel()
    # ½(1 + tanh(x/2)) is the logistic function
    (0.3 * size * (1 + ((leaf + 2 / 3 * math.log(11)) / 2).tanh()).sum() / 2).backward()

    found = effect.gradients(
        lambda weights, at: Slope({GATES: torch.ones_like(gates)}, {}, {}), {**tensors, GATES: gates}, TRAINING
    )

    torch.testing.assert_close(found.gradients[GATES], 1 + leaf.grad)


@pytest.mark.parametrize(
    ("groups", "shape"), [("output", (3, 1, 1, 1)), ("input", (1, 2, 1, 1)), ("weight", (3, 2, 5, 5))]
)
def test_a_group_has_one_gate(groups, shape):
    assert L0(strength=1, groups=groups).gates_of(TensorInfo("a", (3, 2, 5, 5), "weight", "oikk")) == shape


def test_a_tensor_without_such_groups_is_refused(make_job):
    with pytest.raises(SpecError, match=r"groups='input' needs tensors with such an axis; received linear1.bias"):
        make_plan(
            make_job(
                regularizers=[{"kind": "l0", "strength": 1e-3, "groups": "input", "select": {"include": ["linear1.*"]}}]
            )
        )


SPARSE = {
    "optimizer": {"kind": "adam", "learning_rate": 0.05},
    "training": {"epochs": 15, "batch_size": 20},
}


def test_the_finished_model_has_exact_zeros_that_the_records_count_and_no_gates(make_job, tmp_path):
    result = train(make_job(regularizers=[{"kind": "l0", "strength": 2e-3}], **SPARSE))
    result.save(tmp_path)

    saved = load_file(tmp_path / "model.safetensors")
    matrices = np.concatenate([saved[name].numpy().ravel() for name in ("linear1.weight", "head.weight")])
    zeros = float((matrices == 0).mean())
    assert 0.2 < zeros < 1
    assert set(saved) == {"linear1.weight", "linear1.bias", "head.weight", "head.bias"}
    assert result.sparsity == zeros
    assert result.history[-1]["values"]["sparsity"] == zeros
    assert (
        result.history[0]["values"]["objective/penalty.l0"] > result.history[-1]["values"]["objective/penalty.l0"] > 0
    )
    assert result.plan.num_parameters == 64 * 8 + 8 + 8 * 10 + 10


def test_whole_inputs_are_left_out(make_job):
    result = train(make_job(regularizers=[{"kind": "l0", "strength": 2e-3, "groups": "input"}], **SPARSE))

    weight = result.model.linear1.weight.detach()
    unread = (weight == 0).all(0)
    assert unread.any()
    assert torch.equal(weight == 0, unread.expand_as(weight))


@pytest.mark.parametrize(("rate", "codes"), [(0.91, []), (0.92, ["gates_begin_closed"])])
def test_gates_that_begin_closed_are_doubted(make_job, rate, codes):
    job = make_job(regularizers=[{"kind": "l0", "strength": 0.0, "dropout_rate": rate}])

    plan = make_plan(job)

    assert [warning.code for warning in plan.warnings] == codes
    still = job | {"optimizer": {"kind": "sgd", "learning_rate": 1e-12}}
    assert (train(still).sparsity == 1) == bool(codes)
