"""Kernels against the reference, torch's own operations in `Update.move`: the same bits, but for the sign of zeros."""

import itertools

import pytest
import torch

from regcore.at import At
from regcore.optim import SGD, Adam, AdamW, Elementwise, RMSprop
from regcore.optim.kernels import one_pass

SHAPES = {"matrix": (37, 67), "bias": (10,), "filters": (3, 3, 3, 3), "untouched": (2500,)}
NUM_STEPS = 8
OPTIMIZERS = {
    "plain": SGD(learning_rate=0.05, momentum=0),
    "momentum": SGD(learning_rate=0.05),
    "nesterov": SGD(learning_rate=0.02, nesterov=True),
    "adam": Adam(learning_rate=0.003),
    "adam_from_the_far_end": Adam(learning_rate=0.003, beta1=0.3),
    "adamw": AdamW(learning_rate=0.003, weight_decay=0.1),
    "rmsprop": RMSprop(learning_rate=0.001),
    "rmsprop_momentum": RMSprop(learning_rate=0.001, momentum=0.9),
}
PARTS = {"pull": 0.01, "push": 0.003, "keep": 0.99, "shrink": 0.01, "rate": 0.5, "floor": -0.1, "mask": 1.0}
STACKS = [(1, False), (3, False), (3, True)]
"""Members, and whether their numbers differ."""
CASES = [[], *([part] for part in PARTS), ["rate", "shrink"], list(PARTS)]


def _members(optimizer, num_members, *, differing):
    rates = [optimizer.learning_rate * (1 + differing * k / 3) for k in range(num_members)]
    return [optimizer.model_copy(update={"learning_rate": rate}) for rate in rates]


def _draw(num_members, dtype, stream):
    return {n: torch.randn(num_members, *s, dtype=dtype, generator=stream) for n, s in SHAPES.items()}


def _elementwise(parts, num_members, dtype, *, differing):
    numbers = {
        part: tuple(PARTS[part] * (1 + differing * k / 8) for k in range(num_members))
        for part in parts
        if part != "mask"
    }
    mask = torch.ones(num_members, *SHAPES["matrix"], dtype=dtype)
    mask[:, ::3] = 0
    does = Elementwise(**numbers)
    return {"bias": does, "filters": does, "matrix": does & Elementwise(mask=mask if "mask" in parts else None)}


def _run(members, elementwise, dtype, *, by_kernels, monkeypatch):
    """The weights and the state after some steps, the last of which have no gradient."""
    stream = torch.Generator().manual_seed(0)
    weights = _draw(len(members), dtype, stream)
    update = type(members[0]).bind(members)
    update.state = update.start(weights)
    if not by_kernels:
        monkeypatch.setattr(type(update), "kernels", ())
    for step in range(NUM_STEPS):
        gradients = _draw(len(members), dtype, stream)
        if step >= NUM_STEPS - 2:
            gradients = {name: torch.zeros_like(gradient) for name, gradient in gradients.items()}
        update.step(weights, gradients, elementwise, At(step, 4, NUM_STEPS))
    monkeypatch.undo()
    slots = {f"{slot} {name}": tensor for slot in update.slots for name, tensor in update.tensors_of(slot).items()}
    return weights | slots


@pytest.mark.parametrize("parts", CASES, ids=lambda parts: " and ".join(parts) or "nothing")
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_kernels_move_weights_as_torchs_operations_do(monkeypatch, optimizer, parts):
    for (num_members, differing), dtype in itertools.product(
        [(1, False), (3, False), (3, True)], [torch.float32, torch.float64]
    ):
        members = _members(optimizer, num_members, differing=differing)
        elementwise = _elementwise(parts, num_members, dtype, differing=differing)

        ours, reference = (
            _run(members, elementwise, dtype, by_kernels=by_kernels, monkeypatch=monkeypatch)
            for by_kernels in (True, False)
        )

        differing_tensors = [name for name in reference if not torch.equal(ours[name], reference[name])]
        assert differing_tensors == [], (num_members, differing, dtype)


@pytest.mark.parametrize("optimizer", [OPTIMIZERS["momentum"], OPTIMIZERS["adam"]], ids=["sgd", "adam"])
def test_a_member_of_three_moves_as_it_does_alone(monkeypatch, optimizer):
    members = _members(optimizer, 3, differing=True)
    stream = torch.Generator().manual_seed(0)
    weights, gradients = _draw(3, torch.float64, stream), _draw(3, torch.float64, stream)
    elementwise = _elementwise(["pull", "shrink"], 3, torch.float64, differing=False)
    alone = {name: weight[1:2].clone() for name, weight in weights.items()}
    own = {name: Elementwise(pull=does.pull[:1], shrink=does.shrink[:1]) for name, does in elementwise.items()}

    for some, each, moved, does in ((members, gradients, weights, elementwise), (members[1:2], None, alone, own)):
        update = type(optimizer).bind(some)
        update.state = update.start(moved)
        each = each or {name: gradient[1:2].clone() for name, gradient in gradients.items()}
        for step in range(3):
            update.step(moved, each, does, At(step, 4, NUM_STEPS))

    for name, weight in weights.items():
        torch.testing.assert_close(weight[1:2], alone[name], rtol=0, atol=1e-12)


def test_bits_do_not_depend_on_the_number_of_threads(monkeypatch):
    monkeypatch.setattr(one_pass, "NUM_BLOCKS_OF_A_THREAD", 1)
    found = []
    before = torch.get_num_threads()
    try:
        for num_threads in (1, 3):
            torch.set_num_threads(num_threads)
            members = _members(OPTIMIZERS["momentum"], 3, differing=True)
            does = _elementwise(["pull", "shrink"], 3, torch.float32, differing=True)
            found.append(_run(members, does, torch.float32, by_kernels=True, monkeypatch=pytest.MonkeyPatch()))
    finally:
        torch.set_num_threads(before)

    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_coefficients_that_change_are_heeded(monkeypatch):
    weights = {"w": torch.ones(1, 3)}
    update = type(OPTIMIZERS["plain"]).bind([OPTIMIZERS["plain"]])
    for keep in (0.5, 0.25):
        update.step(weights, {"w": torch.zeros(1, 3)}, {"w": Elementwise(keep=(keep,))}, At(0, 1, 2))

    assert weights["w"].tolist() == [[0.125] * 3]


def test_gradients_of_another_layout_and_masks_of_truth_values_are_read_as_they_are_meant():
    weights = {"w": torch.ones(1, 2, 3)}
    update = type(OPTIMIZERS["plain"]).bind([SGD(learning_rate=1.0, momentum=0)])
    gradient = torch.arange(6.0).view(1, 3, 2).mT
    mask = torch.tensor([[True, True, False]]).expand(1, 2, 3)

    update.step(weights, {"w": gradient}, {"w": Elementwise(mask=mask)}, At(0, 1, 1))

    assert weights["w"].tolist() == [[[1.0, -1.0, 0.0], [0.0, -2.0, 0.0]]]


def test_half_precision_is_left_to_torchs_operations():
    weights = {"w": torch.ones(1, 3, dtype=torch.bfloat16)}
    update = type(OPTIMIZERS["plain"]).bind([SGD(learning_rate=1.0, momentum=0)])

    update.step(weights, {"w": torch.full_like(weights["w"], 0.5)}, {}, At(0, 1, 1))

    assert weights["w"].tolist() == [[0.5] * 3]
    assert one_pass.one_pass(update, weights) is None
