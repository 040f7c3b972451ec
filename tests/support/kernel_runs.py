"""The same steps by kernels and by the reference, torch's own operations in `Update.move`."""

import itertools

import pytest
import torch

from regcore.at import At
from regcore.optim import Elementwise

SHAPES = {"matrix": (37, 67), "bias": (10,), "filters": (3, 3, 3, 3), "untouched": (2500,)}
NUM_STEPS = 8
PARTS = {"pull": 0.01, "push": 0.003, "keep": 0.99, "shrink": 0.01, "rate": 0.5, "floor": -0.1, "mask": 1.0}
STACKS = [(1, False), (3, False), (3, True)]
"""Members, and whether their numbers differ."""
CASES = [[], *([part] for part in PARTS), ["rate", "shrink"], list(PARTS)]


def members_of(optimizer, num_members, *, differing):
    rates = [optimizer.learning_rate * (1 + differing * k / 3) for k in range(num_members)]
    return [optimizer.model_copy(update={"learning_rate": rate}) for rate in rates]


def draw(num_members, dtype, stream):
    return {n: torch.randn(num_members, *s, dtype=dtype, generator=stream) for n, s in SHAPES.items()}


def coefficients(parts, num_members, dtype, *, differing):
    numbers = {
        part: tuple(PARTS[part] * (1 + differing * k / 8) for k in range(num_members))
        for part in parts
        if part != "mask"
    }
    mask = torch.ones(num_members, *SHAPES["matrix"], dtype=dtype)
    mask[:, ::3] = 0
    does = Elementwise(**numbers)
    return {"bias": does, "filters": does, "matrix": does & Elementwise(mask=mask if "mask" in parts else None)}


def run(members, elementwise, dtype, *, by_kernels=True):
    """The weights and the state after some steps, the last of which have no gradient."""
    stream = torch.Generator().manual_seed(0)
    weights = draw(len(members), dtype, stream)
    update = type(members[0]).bind(members)
    update.state = update.start(weights)
    with pytest.MonkeyPatch.context() as patch:
        if not by_kernels:
            patch.setattr(type(update), "kernels", ())
        for step in range(NUM_STEPS):
            gradients = draw(len(members), dtype, stream)
            if step >= NUM_STEPS - 2:
                gradients = {name: torch.zeros_like(gradient) for name, gradient in gradients.items()}
            update.step(weights, gradients, elementwise, At(step, 4, NUM_STEPS))
    slots = {f"{slot} {name}": tensor for slot in update.slots for name, tensor in update.tensors_of(slot).items()}
    return weights | slots


def differing_tensors(optimizer, parts):
    """What is not the same to the bit, but for the sign of zeros, by kernels: tensors, with the number of members."""
    found = []
    for (num_members, differing), dtype in itertools.product(STACKS, [torch.float32, torch.float64]):
        members = members_of(optimizer, num_members, differing=differing)
        does = coefficients(parts, num_members, dtype, differing=differing)
        ours, reference = (run(members, does, dtype, by_kernels=by_kernels) for by_kernels in (True, False))
        found += [(name, num_members, dtype) for name in reference if not torch.equal(ours[name], reference[name])]
    return found
