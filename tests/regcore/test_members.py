import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from regcore.members import add_scaled_, add_scaled_product_, add_scaled_quotient_, coefficient

numbers = st.floats(-1e3, 1e3)


def test_one_number_stays_a_number():
    like = torch.zeros(3, 2)

    assert coefficient([0.1], torch.zeros(1, 2)) == 0.1
    assert coefficient([0.1, 0.1, 0.1], like) == 0.1


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4)])
def test_differing_numbers_become_a_column_that_broadcasts(shape):
    like = torch.ones(shape, dtype=torch.float64)

    column = coefficient([0.1, 0.2], like)

    assert column.dtype == like.dtype
    assert (like * column)[0].unique().item() == 0.1
    assert (like * column)[1].unique().item() == 0.2


def test_a_kept_column_is_not_given_for_another_type_shape_or_value():
    first = coefficient([0.1, 0.2], torch.zeros(2, 3))

    assert coefficient([0.1, 0.2], torch.zeros(2, 5)) is first
    assert coefficient([0.1, 0.2], torch.zeros(2, 3, dtype=torch.float64)).dtype == torch.float64
    assert coefficient([0.1, 0.2], torch.zeros(2, 3, 4)).shape == (2, 1, 1)
    assert not torch.equal(coefficient([0.1, 0.3], torch.zeros(2, 3)), first)


@given(values=st.lists(numbers, min_size=1, max_size=4))
def test_sums_are_those_of_each_member_alone(values):
    stream = torch.Generator().manual_seed(0)
    target, a, b = (torch.rand(len(values), 3, generator=stream, dtype=torch.float64) + 1 for _ in range(3))
    scaled, product, quotient = target.clone(), target.clone(), target.clone()

    add_scaled_(scaled, a, values)
    add_scaled_product_(product, a, b, values)
    add_scaled_quotient_(quotient, a, b, values)

    for k, value in enumerate(values):
        torch.testing.assert_close(scaled[k], target[k] + value * a[k])
        torch.testing.assert_close(product[k], target[k] + value * a[k] * b[k])
        torch.testing.assert_close(quotient[k], target[k] + value * a[k] / b[k])
