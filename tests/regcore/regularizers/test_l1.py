import pytest
import torch
from effects import bind_effect

from regcore.at import At
from regcore.optim import SGD, Adam, RMSprop
from regcore.regularizers.l1 import L1

START = At(0, 10, 100)
OPTIMIZERS = [
    SGD(learning_rate=0.1, momentum=0),
    SGD(learning_rate=0.05, momentum=0.9),
    SGD(learning_rate=0.05, momentum=0.5, nesterov=True),
]


def moved_by(effect, weight, num_members):
    """How far a step of rate 1 without any data moves a weight against its direction."""
    update = SGD.bind([SGD(learning_rate=1, momentum=0)] * num_members)
    moved = {"head.weight": weight.clone()}
    update.step(moved, {"head.weight": torch.zeros_like(weight)}, effect.elementwise(update, START), START)
    return weight - moved["head.weight"]


def lasso(target, strength):
    """The minimum of ½(w − target)² + strength·|w|, by cases."""
    up, down = target - strength, target + strength
    return torch.where(up > 0, up, torch.where(down < 0, down, torch.zeros_like(target)))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("strength", [0.1, 0.5, 3])
def test_proximal_reaches_the_lassos_minimum_with_its_exact_zeros(descend, quadratic, optimizer, strength):
    weights = descend([L1(strength=strength)], [optimizer], quadratic, quadratic.start, 800)

    expected = lasso(quadratic.target["head.weight"], strength)
    torch.testing.assert_close(weights["head.weight"], expected, rtol=1e-9, atol=1e-9)
    assert torch.equal(weights["head.weight"] == 0, expected == 0)
    torch.testing.assert_close(weights["head.bias"], quadratic.target["head.bias"])


@pytest.mark.parametrize(
    "optimizer",
    [
        Adam(learning_rate=0.05, beta1=0.5, beta2=0.9, schedule={"kind": "cosine"}),
        RMSprop(learning_rate=0.02, alpha=0.9, schedule={"kind": "cosine"}),
    ],
)
def test_proximal_reaches_the_lassos_minimum_under_adaptive_optimizers(descend, quadratic, optimizer):
    weights = descend([L1(strength=0.5)], [optimizer], quadratic, quadratic.start, 4000)

    expected = lasso(quadratic.target["head.weight"], 0.5)
    torch.testing.assert_close(weights["head.weight"], expected, rtol=0, atol=2e-2)
    assert torch.equal(weights["head.weight"] == 0, expected == 0)


def test_the_subgradient_comes_near_but_gives_no_zeros(descend, quadratic):
    # 0.07 divides none of the targets, so that no step lands on zero by chance.
    optimizer = SGD(learning_rate=0.07, momentum=0)

    weights = descend([L1(strength=0.5, method="subgradient")], [optimizer], quadratic, quadratic.start, 801)

    expected = lasso(quadratic.target["head.weight"], 0.5)
    torch.testing.assert_close(weights["head.weight"], expected, rtol=0, atol=0.08)
    assert (expected == 0).sum() >= 3
    assert (weights["head.weight"] == 0).sum() == 0


def test_the_subgradient_is_its_penaltys_derivative():
    weight = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    members = [L1(strength=0.3, method="subgradient"), L1(strength=2, method="subgradient")]
    effect = bind_effect(members, {"head.weight": weight})
    effect.penalty({"head.weight": weight}, START).sum().backward()

    moved = moved_by(effect, weight.detach(), len(members))

    torch.testing.assert_close(moved, weight.grad)


@pytest.mark.parametrize("method", ["proximal", "subgradient"])
def test_its_penalty_is_strength_times_the_sum_of_absolute_values_per_member(method):
    weights = {"head.weight": torch.tensor([[[3.0, -4.0]], [[1.0, -1.0]]])}

    penalty = bind_effect([L1(strength=2, method=method), L1(strength=0.5, method=method)], weights)

    assert penalty.penalty(weights, START).tolist() == [14.0, 1.0]


def test_members_of_both_methods_go_together(descend, quadratic):
    regularizers = [L1(strength=0.5), L1(strength=0.5, method="subgradient")]
    optimizers = [SGD(learning_rate=0.07, momentum=0)] * 2
    start = {name: value.expand(2, *value.shape[1:]) for name, value in quadratic.start.items()}

    weights = descend(regularizers, optimizers, quadratic, start, 801)["head.weight"]

    for k in range(2):
        alone = descend(regularizers[k : k + 1], optimizers[:1], quadratic, quadratic.start, 801)["head.weight"]
        torch.testing.assert_close(weights[k], alone[0], rtol=1e-12, atol=1e-12)


def test_its_schedule_ends_at_its_full_strength(descend, quadratic):
    regularizer = L1(strength=0.5, schedule={"kind": "constant", "warmup_epochs": 20})

    weights = descend([regularizer], OPTIMIZERS[:1], quadratic, quadratic.start, 800)

    torch.testing.assert_close(weights["head.weight"], lasso(quadratic.target["head.weight"], 0.5))


def test_strength_0_moves_nothing(descend, quadratic):
    weights = descend([L1(strength=0)], OPTIMIZERS[:1], quadratic, quadratic.start, 800)

    torch.testing.assert_close(weights["head.weight"], quadratic.target["head.weight"])
