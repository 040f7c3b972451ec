import pytest
import torch

from regcore.layers import ImageRows
from regcore.shapes import RowInfo


def test_a_step_holds_the_pixels_of_all_channels_in_a_row_of_the_image():
    images = torch.randn(2, 3, 4, 5)

    steps = ImageRows().module(RowInfo((3, 4, 5)))(images)

    assert steps.shape == (2, *ImageRows().output(RowInfo((3, 4, 5))).shape)
    for h in range(4):
        assert torch.equal(steps[1, h], torch.cat([images[1, channel, h] for channel in range(3)]))


def test_other_rows_are_refused():
    with pytest.raises(ValueError, match=r"image_rows expects \(C, H, W\); it gets \(4, 5\)"):
        ImageRows().output(RowInfo((4, 5)))
