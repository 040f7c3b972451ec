"""Regularizers at work without a network: the loop's stages on a gradient that a test gives."""

import pytest
import torch
from effects import bind_effect

from regcore.at import At

WEIGHT = "head.weight"
BIAS = "head.bias"


@pytest.fixture
def descend():
    """Steps of one regularizer and one optimizer per member; gives the weights, each (K, ...)."""

    def run(regularizers, optimizers, gradient, weights, num_steps, steps_per_epoch=10):
        weights = {name: weight.clone() for name, weight in weights.items()}
        effect = bind_effect(regularizers, weights)
        update = type(optimizers[0]).bind(optimizers)
        update.state = update.start(weights)
        for step in range(num_steps):
            at = At(step, steps_per_epoch, num_steps)
            gradients = {name: gradient(name, weight).clone() for name, weight in weights.items()}
            update.step(weights, gradients, effect.elementwise(update, at), at)
            effect.after_step(weights, update, at)
        return weights

    return run


@pytest.fixture
def quadratic():
    """Data loss ½‖w − target‖² of a weight and a bias: its regularized minimum has a closed form."""
    target = {
        WEIGHT: torch.tensor([[[2.0, -1.5, 0.3, -0.2, 0.0, 0.7]]], dtype=torch.float64),
        BIAS: torch.tensor([[0.3]], dtype=torch.float64),
    }

    def gradient(name, weight):
        return weight - target[name]

    gradient.target = target
    gradient.start = {name: torch.ones_like(value) for name, value in target.items()}
    return gradient


@pytest.fixture
def random_gradient():
    """A gradient that depends on nothing but the number of calls, and start weights, for K members."""

    def make(members, dtype, seed=0):
        stream = torch.Generator().manual_seed(seed)

        def draw(*shape):
            return torch.randn(members, *shape, generator=stream, dtype=dtype)

        return lambda name, weight: draw(*weight.shape[1:]), {WEIGHT: draw(3, 4), BIAS: draw(3)}

    return make
