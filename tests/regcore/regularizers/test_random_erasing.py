import numpy as np
import pytest
import torch
from effects import augmented
from scipy.stats import ks_2samp, kstest

from regcore.data.images.preprocessing import ImagePreprocessing
from regcore.data.rows import Batch
from regcore.regularizers.random_erasing import RandomErasing

SIDES = (24, 32)


def erased(num_rows=1500, fill=7.0, preprocessing=None, **fields):
    """What becomes of constant images of two channels, (B, 2, H, W)."""
    x = torch.full((1, num_rows, 2, *SIDES), fill, dtype=torch.float64)
    batch = Batch(x, torch.zeros(1, num_rows, dtype=torch.int64))
    return augmented([RandomErasing(**fields)], batch, preprocessing=preprocessing).x[0]


def rectangles(x, fill=7.0):
    """Top, left, height and width of what is erased of each image where something is, (n, 4)."""
    found = []
    for mask in (x != fill).all(1).numpy():
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if len(rows):
            assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            found.append((rows[0], columns[0], len(rows), len(columns)))
    return np.array(found)


def test_rectangles_are_those_of_torchvision():
    from torchvision.transforms import RandomErasing as Reference

    ours = rectangles(erased(p=1.0, max_area=0.4, value="zero"))

    image = torch.zeros(1, *SIDES)
    torch.manual_seed(5)
    drawn = [Reference.get_params(image, (0.02, 0.4), (0.3, 1 / 0.3), [0.0])[:4] for _ in range(1500)]
    theirs = np.array(drawn)
    assert len(ours) == 1500
    for law in (
        lambda boxes: boxes[:, 2] * boxes[:, 3],
        lambda boxes: boxes[:, 2] / boxes[:, 3],
        lambda boxes: boxes[:, 0] / (SIDES[0] - boxes[:, 2] + 1),
        lambda boxes: boxes[:, 1] / (SIDES[1] - boxes[:, 3] + 1),
    ):
        assert ks_2samp(law(ours), law(theirs)).pvalue > 1e-3


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_as_many_images_are_hit_as_is_asked(p):
    hit = (erased(p=p, value="zero") == 0).flatten(1).any(1)

    assert float(hit.double().mean()) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 1500))


def test_noise_is_uniform_between_black_and_white_in_each_pixel_and_channel():
    x = erased(num_rows=200, p=1.0, max_area=0.2)

    noise = x[x != 7.0]
    assert kstest(noise.numpy(), "uniform").pvalue > 1e-3
    assert not torch.equal(x[:, 0], x[:, 1])


def test_noise_of_standardized_images_is_between_black_and_white_too():
    preprocessing = ImagePreprocessing((2, *SIDES), 255.0, (0.25, 0.75), (0.5, 0.125))

    x = erased(num_rows=200, p=1.0, max_area=0.2, preprocessing=preprocessing)

    raw = x * torch.tensor([0.5, 0.125]).view(2, 1, 1) + torch.tensor([0.25, 0.75]).view(2, 1, 1)
    noise = [after[before != 7.0] for after, before in zip(raw.unbind(1), x.unbind(1), strict=True)]
    assert all(kstest(part.numpy(), "uniform").pvalue > 1e-3 for part in noise)


def test_no_area_erases_nothing_and_each_member_draws_as_it_would_alone():
    x = torch.randn(1, 40, 1, *SIDES)
    batch = Batch(x, torch.zeros(1, 40, dtype=torch.int64))
    members = [RandomErasing(p=1.0, max_area=area) for area in (0.0, 0.01, 0.9)]

    together = augmented(members, batch).x

    assert torch.equal(together[:1], x)
    for k, member in enumerate(members):
        assert torch.equal(together[k : k + 1], augmented([member], batch, seeds=(k + 1,)).x)
    assert not torch.equal(together[1:2], x)
