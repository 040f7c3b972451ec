import torch

from regcore.optim.elementwise import NOTHING, Elementwise, times


def test_both_of_two_parts_are_done():
    first = Elementwise(pull=(1.0, 2.0), keep=(0.5, 0.5), floor=(0.0, -1.0))
    second = Elementwise(pull=(3.0, 0.0), keep=(0.5, 1.0), shrink=(0.1, 0.2), rate=(0.0, 1.0), floor=(-2.0, 0.0))

    both = first & second

    assert both == Elementwise(pull=(4.0, 2.0), keep=(0.25, 0.5), shrink=(0.1, 0.2), rate=(0.0, 1.0), floor=(0.0, 0.0))


def test_nothing_leaves_the_other_as_it_is():
    part = Elementwise(push=(1.0,))

    assert NOTHING & part == part & NOTHING == part


def test_a_weight_lives_where_both_masks_let_it():
    first, second = torch.tensor([[1.0, 1.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]])

    both = Elementwise(mask=first) & Elementwise(mask=second)

    assert both.mask.tolist() == [[1, 0, 0]]
    assert (Elementwise(mask=first) & NOTHING).mask is first


def test_products_go_member_by_member():
    assert times((1.0, 2.0), (3.0, 0.5)) == (3.0, 1.0)
