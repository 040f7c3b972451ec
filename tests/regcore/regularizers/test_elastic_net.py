import pytest
import torch
from effects import bind_effect

from regcore.at import At
from regcore.optim import SGD, Adam
from regcore.regularizers.elastic_net import ElasticNet
from regcore.regularizers.l1 import L1
from regcore.regularizers.l2 import L2


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("l1", "l2"), [(0.5, 0.25), (0.1, 2), (0, 1), (0.5, 0)])
def test_it_reaches_the_minimum_of_a_quadratic_with_both_penalties(descend, quadratic, l1, l2, momentum):
    optimizer = SGD(learning_rate=0.05, momentum=momentum)

    weights = descend([ElasticNet(l1=l1, l2=l2)], [optimizer], quadratic, quadratic.start, 800)["head.weight"]

    target = quadratic.target["head.weight"]
    expected = target.sign() * (target.abs() - l1).clamp(min=0) / (1 + l2)
    torch.testing.assert_close(weights, expected)
    if l1:
        assert torch.equal(weights == 0, expected == 0)


@pytest.mark.parametrize("optimizer", [SGD(learning_rate=0.1), Adam(learning_rate=0.1)])
@pytest.mark.parametrize(("alone", "l1", "l2"), [(L1(strength=0.3), 0.3, 0), (L2(strength=0.3), 0, 0.3)])
def test_with_one_part_it_is_that_part(descend, quadratic, optimizer, alone, l1, l2):
    both = descend([ElasticNet(l1=l1, l2=l2)], [optimizer], quadratic, quadratic.start, 50)

    part = descend([alone], [optimizer], quadratic, quadratic.start, 50)
    torch.testing.assert_close(both, part)


def test_its_penalty_is_the_sum_of_both_per_member():
    weights = {"head.weight": torch.tensor([[[3.0, -4.0]], [[1.0, -1.0]]])}
    effect = bind_effect([ElasticNet(l1=1, l2=2), ElasticNet(l1=0.5, l2=0)], weights)

    assert effect.penalty(weights, At(0, 1, 1)).tolist() == [7 + 25, 1]


def test_its_schedule_scales_both_parts():
    weights = {"head.weight": torch.tensor([[[3.0, -4.0]]])}
    schedule = {"kind": "constant", "warmup_epochs": 1}
    effect = bind_effect([ElasticNet(l1=1, l2=2, schedule=schedule)], weights)

    assert effect.penalty(weights, At(0, 2, 4)).tolist() == [(7 + 25) / 2]
