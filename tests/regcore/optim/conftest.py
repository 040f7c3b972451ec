"""The same gradients for RegCore's update and for torch.optim's."""

import pytest
import torch

from regcore.at import At

NUM_STEPS = 30
SHAPES = {"linear1.weight": (4, 3), "linear1.bias": (4,)}


def _start(seed, dtype):
    stream = torch.Generator().manual_seed(seed)
    weights = {name: torch.randn(shape, generator=stream, dtype=dtype) for name, shape in SHAPES.items()}
    gradients = [
        {name: torch.randn(shape, generator=stream, dtype=dtype) for name, shape in SHAPES.items()}
        for _ in range(NUM_STEPS)
    ]
    return weights, gradients


@pytest.fixture
def run_ours():
    """Steps of our update for one spec and seed per member; gives each member's weights."""

    def run(specs, seeds=None, dtype=torch.float64):
        starts = [_start(seed, dtype) for seed in seeds or range(len(specs))]
        weights = {name: torch.stack([first[name] for first, _ in starts]) for name in SHAPES}
        update = type(specs[0]).bind(specs)
        update.state = update.start(weights)
        for step in range(NUM_STEPS):
            gradients = {name: torch.stack([each[step][name] for _, each in starts]) for name in SHAPES}
            update.step(weights, gradients, {}, At(step, 10, NUM_STEPS))
        return [{name: weight[k] for name, weight in weights.items()} for k in range(len(specs))]

    return run


@pytest.fixture
def run_torchs():
    """Steps of a torch.optim optimizer, whose rate follows the spec's schedule."""

    def run(make_optimizer, spec, seed=0, dtype=torch.float64):
        weights, gradients = _start(seed, dtype)
        optimizer = make_optimizer(list(weights.values()))
        for step in range(NUM_STEPS):
            for group in optimizer.param_groups:
                group["lr"] = spec.rate(At(step, 10, NUM_STEPS))
            for name, weight in weights.items():
                weight.grad = gradients[step][name].clone()
            optimizer.step()
        return weights

    return run


@pytest.fixture
def long_run_step():
    """How far a unit gradient moves each weight once many of them have come."""

    def measure(spec, num_steps):
        weights = {name: torch.zeros(1, *shape, dtype=torch.float64) for name, shape in SHAPES.items()}
        update = type(spec).bind([spec])
        update.state = update.start(weights)
        for step in range(num_steps):
            before = {name: weight.clone() for name, weight in weights.items()}
            gradients = {name: torch.ones_like(weight) for name, weight in weights.items()}
            update.step(weights, gradients, {}, At(step, 1, num_steps))
        moved = before["linear1.weight"] - weights["linear1.weight"]
        return moved, update.reach("linear1.weight", At(num_steps - 1, 1, num_steps))

    return measure
