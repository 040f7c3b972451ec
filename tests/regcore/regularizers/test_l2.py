import pytest
import torch
from effects import bind_effect

from regcore.at import At
from regcore.optim import SGD
from regcore.regularizers.l2 import L2

EVERYTHING = {"include": ["*"]}
START = At(0, 10, 100)


def torchs(gradient, start, num_steps, **options):
    weights = {name: value.clone() for name, value in start.items()}
    optimizer = torch.optim.SGD(list(weights.values()), **options)
    for _ in range(num_steps):
        for name, weight in weights.items():
            weight.grad = gradient(name, weight)
        optimizer.step()
    return weights


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", [1e-5, 0.01, 1 / 3])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_it_is_torchs_sgd_weight_decay_bit_for_bit(descend, random_gradient, momentum, nesterov, strength, dtype):
    gradient, start = random_gradient(1, dtype)
    sgd = SGD(learning_rate=0.1, momentum=momentum, nesterov=nesterov)

    ours = descend([L2(strength=strength, select=EVERYTHING)], [sgd], gradient, start, 30)

    gradient, _ = random_gradient(1, dtype)
    options = {"lr": 0.1, "momentum": momentum, "nesterov": nesterov, "weight_decay": strength}
    theirs = torchs(gradient, start, 30, **options)
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight)


def test_its_penalty_is_half_the_strength_times_the_sum_of_squares_per_member():
    weights = {"head.weight": torch.tensor([[[3.0, 4.0]], [[1.0, -1.0]]])}

    penalty = bind_effect([L2(strength=2), L2(strength=0.5)], weights).penalty(weights, START)

    assert penalty.tolist() == [25.0, 0.5]


def test_what_it_adds_to_the_gradient_is_its_penaltys_derivative():
    weight = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    effect = bind_effect([L2(strength=0.3), L2(strength=2)], {"head.weight": weight})
    effect.penalty({"head.weight": weight}, START).sum().backward()

    update = SGD.bind([SGD(learning_rate=1, momentum=0)] * 2)
    moved = {"head.weight": weight.detach().clone()}
    update.step(moved, {"head.weight": torch.zeros_like(weight)}, effect.elementwise(update, START), START)

    torch.testing.assert_close(weight.detach() - moved["head.weight"], weight.grad)


def test_its_schedule_scales_its_strength():
    weight = torch.ones(1, 1, 1)
    regularizer = L2(strength=2, schedule={"kind": "constant", "warmup_epochs": 1})
    effect = bind_effect([regularizer], {"head.weight": weight})

    penalties = [effect.penalty({"head.weight": weight}, At(step, 4, 8)).item() for step in range(5)]

    assert penalties == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_biases_move_as_without_it(descend, quadratic):
    sgd = [SGD(learning_rate=0.1)]

    strong = descend([L2(strength=5)], sgd, quadratic, quadratic.start, 20)

    none = descend([L2(strength=0)], sgd, quadratic, quadratic.start, 20)
    assert torch.equal(strong["head.bias"], none["head.bias"])
    assert not torch.equal(strong["head.weight"], none["head.weight"])


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_solves_the_ridge_problem_of_a_quadratic(descend, quadratic, momentum):
    weights = descend([L2(strength=0.5)], [SGD(learning_rate=0.1, momentum=momentum)], quadratic, quadratic.start, 600)

    torch.testing.assert_close(weights["head.weight"], quadratic.target["head.weight"] / 1.5)
