import pytest
import torch

from regcore.at import At
from regcore.optim import SGD, Elementwise
from regcore.optim.kernels.table import BLOCK


@pytest.mark.parametrize("size", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_every_number_of_every_member_is_moved_once(size):
    weights = {"before": torch.ones(2, 3), "w": torch.ones(2, size), "behind": torch.ones(2, 5)}
    gradients = {name: torch.full_like(weight, 2.0) for name, weight in weights.items()}

    SGD.bind([SGD(learning_rate=1.0, momentum=0), SGD(learning_rate=0.5, momentum=0)]).step(
        weights, gradients, {}, At(0, 1, 1)
    )

    for name, weight in weights.items():
        assert weight.unique(dim=1).tolist() == [[-1.0], [0.0]], name


def test_what_regularizers_add_to_a_gradient_leaves_it_as_it_is():
    gradient = torch.ones(1, 3)

    SGD.bind([SGD(momentum=0)]).step(
        {"w": torch.ones(1, 3)}, {"w": gradient}, {"w": Elementwise(pull=(0.5,), push=(0.5,))}, At(0, 1, 1)
    )

    assert gradient.tolist() == [[1.0] * 3]


def test_what_is_no_number_stays_none():
    weights = {"w": torch.tensor([[float("nan"), 1.0]])}

    SGD.bind([SGD(momentum=0)]).step(
        weights, {"w": torch.zeros(1, 2)}, {"w": Elementwise(shrink=(0.1,), floor=(0.0,))}, At(0, 1, 1)
    )

    assert weights["w"].isnan().tolist() == [[True, False]]
