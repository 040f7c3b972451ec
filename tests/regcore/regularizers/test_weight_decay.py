import pytest
import torch
from effects import bind_effect

from regcore.at import At
from regcore.optim import SGD, Adam, RMSprop
from regcore.regularizers.weight_decay import WeightDecay

EVERYTHING = {"include": ["*"]}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("strength", [1e-5, 0.01, 1 / 3])
def test_with_adam_it_is_torchs_adamw_bit_for_bit(descend, random_gradient, strength, dtype):
    gradient, start = random_gradient(1, dtype)

    ours = descend([WeightDecay(strength=strength, select=EVERYTHING)], [Adam(learning_rate=0.1)], gradient, start, 30)

    gradient, _ = random_gradient(1, dtype)
    theirs = {name: value.clone() for name, value in start.items()}
    optimizer = torch.optim.AdamW(list(theirs.values()), lr=0.1, weight_decay=strength)
    for _ in range(30):
        for name, weight in theirs.items():
            weight.grad = gradient(name, weight)
        optimizer.step()
    for name, weight in theirs.items():
        assert torch.equal(ours[name], weight)


@pytest.mark.parametrize("optimizer", [SGD(learning_rate=0.1), Adam(learning_rate=0.1), RMSprop(learning_rate=0.1)])
def test_without_a_gradient_weights_shrink_geometrically_under_every_optimizer(descend, optimizer):
    start = {"head.weight": torch.full((1, 2, 2), 3.0, dtype=torch.float64)}

    weights = descend([WeightDecay(strength=0.5)], [optimizer], lambda name, w: torch.zeros_like(w), start, 20)

    torch.testing.assert_close(weights["head.weight"], start["head.weight"] * 0.95**20)


def test_it_decays_at_the_scheduled_rate_and_strength(descend):
    optimizer = SGD(learning_rate=0.1, schedule={"kind": "step", "every_epochs": 1, "gamma": 0.5})
    regularizer = WeightDecay(strength=1, schedule={"kind": "constant", "warmup_epochs": 1})
    start = {"head.weight": torch.ones(1, 1, 1, dtype=torch.float64)}

    weights = descend([regularizer], [optimizer], lambda name, w: torch.zeros_like(w), start, 4, steps_per_epoch=2)

    expected = (1 - 0.1 * 0.5) * (1 - 0.1) * (1 - 0.05) * (1 - 0.05)
    assert weights["head.weight"].item() == pytest.approx(expected)


def test_members_decay_by_their_own_rate_and_strength(descend):
    start = {"head.weight": torch.ones(2, 1, 1, dtype=torch.float64)}
    optimizers = [SGD(learning_rate=0.1), SGD(learning_rate=0.5)]

    weights = descend(
        [WeightDecay(strength=1), WeightDecay(strength=0.2)],
        optimizers,
        lambda name, w: torch.zeros_like(w),
        start,
        3,
    )

    assert weights["head.weight"].flatten().tolist() == pytest.approx([0.9**3, 0.9**3])


def test_it_is_no_part_of_the_objective():
    assert not WeightDecay.adds_to_objective
    weights = {"head.weight": torch.ones(1, 1, 1)}
    assert bind_effect([WeightDecay(strength=1)], weights).penalty(weights, At(0, 1, 1)) is None
