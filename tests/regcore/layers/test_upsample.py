import pytest
import torch
from pydantic import ValidationError

from regcore.layers import Upsample
from regcore.shapes import RowInfo

SEEN = RowInfo((2, 3, 4))


@pytest.mark.parametrize(
    ("fields", "times"), [({}, (2, 2)), ({"scale_factor": [1, 3]}, (1, 3)), ({"size": 12}, (4, 3))]
)
def test_pixels_are_repeated(fields, times):
    layer, x = Upsample(**fields), torch.randn(5, *SEEN.shape)

    outputs = layer.module(SEEN)(x)

    expected = x.repeat_interleave(times[0], 2).repeat_interleave(times[1], 3)
    assert torch.equal(outputs, expected)
    assert layer.output(SEEN).shape == expected.shape[1:]


def test_lines_between_pixels_have_the_values_between_theirs():
    x = torch.tensor([[[[0.0, 1.0]]]])

    outputs = Upsample(scale_factor=[1, 2], mode="bilinear").module(RowInfo((1, 1, 2)))(x)

    torch.testing.assert_close(outputs.flatten(), torch.tensor([0, 0.25, 0.75, 1]))


def test_a_factor_and_a_size_are_too_much():
    with pytest.raises(ValidationError, match="takes scale_factor or size, not both; received scale_factor=2, size=4"):
        Upsample(scale_factor=2, size=4)
