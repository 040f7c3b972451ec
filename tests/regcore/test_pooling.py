import pytest
import torch
from torch.nn import functional

from regcore.pooling import largest_of_fours


@pytest.mark.parametrize("shape", [(2, 3, 6, 4), (2, 3, 7, 5), (2, 1, 2, 3)])
def test_it_is_torchs_pooling_and_so_are_its_slopes(shape):
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    expected = functional.max_pool2d(x, 2)
    by_output = torch.randn_like(expected)

    outputs = largest_of_fours(x)

    assert torch.equal(outputs, expected)
    (ours,) = torch.autograd.grad(outputs, x, by_output)
    (theirs,) = torch.autograd.grad(expected, x, by_output)
    assert torch.equal(ours, theirs)
    assert torch.equal(largest_of_fours(x.detach()), expected)


def test_of_equal_values_the_first_one_gets_the_slope_as_in_torch():
    x = torch.randint(0, 3, (8, 3, 6, 8)).float().requires_grad_()

    (ours,) = torch.autograd.grad(largest_of_fours(x).square().sum(), x)
    (theirs,) = torch.autograd.grad(functional.max_pool2d(x, 2).square().sum(), x)

    assert torch.equal(ours, theirs)


def test_it_keeps_the_layout_in_memory_and_may_be_differentiated_twice():
    x = torch.randn(3, 2, 4, 6, dtype=torch.float64).transpose(0, 1).requires_grad_()

    (slope,) = torch.autograd.grad(largest_of_fours(x).square().sum(), x, create_graph=True)

    assert slope.stride() == x.stride()
    assert torch.autograd.gradgradcheck(largest_of_fours, x)
