import math

import pytest
import torch
from effects import bind_effect
from torch.nn.utils.parametrizations import spectral_norm

from regcore import make_plan, train
from regcore.at import At
from regcore.errors import SpecError
from regcore.regularizers import Setting
from regcore.regularizers.spectral_norm import SpectralNorm
from regcore.shapes import TensorInfo
from regcore.tasks import Regression

TRAINING, FINISHED = At(3, 10, 10), At(3, 10, 10, training=False)
NAME = "head.weight"


def bound(weight):
    """The effect for one member's matrix, and the weights it has, (1, ...)."""
    weights = {NAME: weight.detach().unsqueeze(0).clone().requires_grad_()}
    return bind_effect([SpectralNorm()], weights), weights


def random_matrix(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def test_step_by_step_it_is_the_parametrization_of_torch():
    assert SpectralNorm.formula == (
        "W/σ₁(W),  W of units × all that a unit sees;  σ₁ ≈ uᵀWv,  v ← Wᵀu/‖Wᵀu‖,  u ← Wv/‖Wv‖"
    )
    module = torch.nn.Linear(4, 6, bias=False, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(random_matrix(6, 4))
    effect, weights = bound(module.weight)
    effect.state[NAME].copy_(torch.nn.functional.normalize(random_matrix(1, 6), dim=1))
    spectral_norm(module)
    theirs = module.parametrizations.weight[0]
    with torch.no_grad():
        theirs._u.copy_(effect.state[NAME][0])
        theirs._v.copy_(torch.nn.functional.normalize(weights[NAME][0].T @ theirs._u, dim=0))

    for _ in range(3):
        with torch.no_grad():
            effect.after_step(weights, None, TRAINING)
        ours = effect.weights(weights, TRAINING)[NAME]
        (slope,) = torch.autograd.grad(ours.square().sum() + ours.sum(), weights[NAME])
        module.zero_grad()
        expected = module.weight
        (expected.square().sum() + expected.sum()).backward()

        torch.testing.assert_close(ours[0], expected)
        torch.testing.assert_close(slope[0], module.parametrizations.weight.original.grad)


def test_the_first_step_divides_by_the_exact_value_already():
    effect, weights = bound(random_matrix(5, 7))

    divided = effect.weights(weights, TRAINING)[NAME].detach()

    assert float(torch.linalg.svdvals(divided[0])[0]) == pytest.approx(1)


def test_every_matrix_of_the_finished_model_has_a_largest_singular_value_of_one(make_job):
    result = train(make_job(optimizer={"kind": "sgd", "learning_rate": 0.5}, regularizers=[{"kind": "spectral_norm"}]))

    matrices = [tensor for name, tensor in result.model.state_dict().items() if name.endswith("weight")]
    assert len(matrices) == 2
    for matrix in matrices:
        assert float(torch.linalg.svdvals(matrix)[0]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("axes", "order"), [("oikk", (0, 1, 2, 3)), ("iokk", (1, 0, 2, 3)), ("", (0, 1, 2, 3))])
def test_units_are_where_the_axes_say(axes, order):
    weight = random_matrix(3, 4, 2, 2)
    info = TensorInfo(NAME, (3, 4, 2, 2), "weight", axes)
    setting = Setting("spectral_norm", [NAME], {NAME: info}, {}, Regression("mse"), torch.float64, torch.device("cpu"))
    effect = SpectralNorm.bind([SpectralNorm()], setting)

    divided = effect.weights({NAME: weight.unsqueeze(0)}, FINISHED)[NAME][0]

    assert float(torch.linalg.matrix_norm(divided.permute(order).flatten(1), 2)) == pytest.approx(1)


@pytest.mark.parametrize("at", [TRAINING, FINISHED], ids=["training", "finished"])
@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_a_matrix_without_a_direction_breaks_no_other_member(at, value):
    weights = {NAME: torch.stack([torch.full((3, 2), value, dtype=torch.float64), random_matrix(3, 2)])}
    effect = bind_effect([SpectralNorm()] * 2, {NAME: random_matrix(1, 3, 2).expand(2, 3, 2)})

    effect.after_step(weights, None, at)
    divided = effect.weights(weights, at)[NAME]

    assert torch.equal(divided[0].isfinite(), weights[NAME][0].isfinite())
    torch.testing.assert_close(
        divided[1], random_matrix(3, 2) / torch.linalg.svdvals(random_matrix(3, 2))[0], rtol=0.2, atol=0
    )


def test_a_matrix_that_was_zero_finds_its_direction_again():
    effect, weights = bound(torch.zeros(3, 2, dtype=torch.float64))
    with torch.no_grad():
        effect.after_step(weights, None, TRAINING)
        weights[NAME].copy_(random_matrix(3, 2))
        for _ in range(50):
            effect.after_step(weights, None, TRAINING)

    divided = effect.weights(weights, TRAINING)[NAME].detach()

    assert float(torch.linalg.svdvals(divided[0])[0]) == pytest.approx(1)


def test_a_vector_is_refused(make_job):
    with pytest.raises(SpecError, match=r"received linear1\.bias, head\.bias, which lack them"):
        make_plan(make_job(regularizers=[{"kind": "spectral_norm", "select": {"include": ["*"]}}]))


@pytest.mark.parametrize(
    ("other", "codes"),
    [
        ({"kind": "l1", "strength": 1e-3}, ["penalty_under_spectral_norm"]),
        (
            {"kind": "weight_decay", "strength": 1e-3, "select": {"include": ["head.*"]}},
            ["penalty_under_spectral_norm"],
        ),
        ({"kind": "l2", "strength": 1e-3, "select": {"include": ["*.bias"]}}, []),
        ({"kind": "sam"}, []),
    ],
    ids=lambda value: value.get("kind") if isinstance(value, dict) else None,
)
def test_a_penalty_on_what_it_divides_is_warned_of(make_job, other, codes):
    warnings = make_plan(make_job(regularizers=[{"kind": "spectral_norm"}, other])).warnings

    assert [warning.code for warning in warnings] == codes
