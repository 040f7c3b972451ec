import pytest
import torch
from kernel_runs import NUM_STEPS, coefficients, draw, members_of, run

from regcore.at import At
from regcore.optim import SGD, Adam, Elementwise
from regcore.optim.kernels import one_pass

PLAIN, MOMENTUM, ADAM = SGD(learning_rate=1.0, momentum=0), SGD(learning_rate=0.05), Adam(learning_rate=0.003)


@pytest.mark.parametrize("optimizer", [MOMENTUM, ADAM], ids=["sgd", "adam"])
def test_a_member_of_three_moves_as_it_does_alone(optimizer):
    members = members_of(optimizer, 3, differing=True)
    stream = torch.Generator().manual_seed(0)
    weights, gradients = draw(3, torch.float64, stream), draw(3, torch.float64, stream)
    elementwise = coefficients(["pull", "shrink"], 3, torch.float64, differing=False)
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
            members = members_of(MOMENTUM, 3, differing=True)
            does = coefficients(["pull", "shrink"], 3, torch.float32, differing=True)
            found.append(run(members, does, torch.float32))
    finally:
        torch.set_num_threads(before)

    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_coefficients_that_change_are_heeded():
    weights = {"w": torch.ones(1, 3)}
    update = SGD.bind([PLAIN])
    for keep in (0.5, 0.25):
        update.step(weights, {"w": torch.zeros(1, 3)}, {"w": Elementwise(keep=(keep,))}, At(0, 1, 2))

    assert weights["w"].tolist() == [[0.125] * 3]


def test_gradients_of_another_layout_and_masks_of_truth_values_are_read_as_they_are_meant():
    weights = {"w": torch.ones(1, 2, 3)}
    update = SGD.bind([PLAIN])
    gradient = torch.arange(6.0).view(1, 3, 2).mT
    mask = torch.tensor([[True, True, False]]).expand(1, 2, 3)

    update.step(weights, {"w": gradient}, {"w": Elementwise(mask=mask)}, At(0, 1, 1))

    assert weights["w"].tolist() == [[[1.0, -1.0, 0.0], [0.0, -2.0, 0.0]]]


def test_half_precision_is_left_to_torchs_operations():
    weights = {"w": torch.ones(1, 3, dtype=torch.bfloat16)}
    update = SGD.bind([PLAIN])

    update.step(weights, {"w": torch.full_like(weights["w"], 0.5)}, {}, At(0, 1, 1))

    assert weights["w"].tolist() == [[0.5] * 3]
    assert one_pass.one_pass(update, weights) is None
