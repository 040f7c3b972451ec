import pytest
import torch

from regcore.layers import GroupNorm
from regcore.shapes import RowInfo


@pytest.mark.parametrize(("num_groups", "eps"), [(1, 1e-5), (2, 0.1), (6, 1e-5)])
def test_each_group_of_an_image_has_mean_0_and_variance_1(num_groups, eps):
    x = torch.randn(4, 6, 3, 2, dtype=torch.float64) * 3 + 1

    outputs = GroupNorm(num_groups=num_groups, eps=eps).module(RowInfo((6, 3, 2))).double()(x)

    groups = x.numpy().reshape(4, num_groups, -1)
    expected = (groups - groups.mean(2, keepdims=True)) / (groups.var(2, keepdims=True) + eps) ** 0.5
    torch.testing.assert_close(outputs.detach(), torch.from_numpy(expected.reshape(x.shape)))


def test_of_a_sequence_the_steps_in_use_count_as_if_the_row_were_alone():
    module = GroupNorm(num_groups=2).module(RowInfo((7, 4), varies=True)).double()
    with torch.no_grad():
        module.weight.normal_()
        module.bias.normal_()
    x, lengths = torch.randn(3, 7, 4, dtype=torch.float64), torch.tensor([7, 1, 4])

    outputs = module(x, lengths)

    twin = torch.nn.GroupNorm(2, 4).double()
    twin.load_state_dict(module.state_dict())
    for row, length, given in zip(x, lengths.tolist(), outputs, strict=True):
        torch.testing.assert_close(given[:length], twin(row[:length].T.unsqueeze(0))[0].T)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 2, 2), r"group_norm of 2 groups expects a multiple of 2 channels; it gets \(5, 2, 2\)"),
        ((8, 5), r"group_norm of 2 groups expects a multiple of 2 features; it gets \(8, 5\)"),
        ((4, 2, 2, 2), r"group_norm expects \(C, H, W\), \(steps, features\) or \(features,\); it gets \(4, 2, 2, 2\)"),
    ],
)
def test_rows_that_it_cannot_divide_are_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        GroupNorm(num_groups=2).output(RowInfo(shape))
