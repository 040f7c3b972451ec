import numpy as np
import pytest
import torch
from effects import augmented
from scipy.stats import chisquare

from regcore import make_plan
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers.cutout import Cutout

SIDES = (5, 7)


def hidden(size, num_rows=3000):
    """Which pixels are hidden, (B, H, W), as 0 and 1."""
    x = torch.ones(1, num_rows, 2, *SIDES)
    cut = augmented([Cutout(size=size)], Batch(x, torch.zeros(1, num_rows, dtype=torch.int64))).x[0]
    assert torch.equal(cut[:, 0], cut[:, 1])
    return 1 - cut[:, 0].numpy()


def squares(size):
    """The square around each pixel, as far as it lies inside, by the paper's own words."""
    found = []
    for y, x in np.ndindex(*SIDES):
        square = np.zeros(SIDES)
        top, left = y - size // 2, x - size // 2
        square[max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 1
        found.append(square)
    return np.stack(found)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_square_around_any_pixel_is_hidden(size):
    masks, known = hidden(size), squares(size)

    assert {mask.tobytes() for mask in masks} == {square.astype(masks.dtype).tobytes() for square in known}
    assert masks.mean(0) == pytest.approx(known.mean(0), abs=0.04)


def test_each_pixel_is_as_often_the_middle():
    assert chisquare(hidden(1).sum(0).ravel()).pvalue > 1e-3


def test_a_size_of_0_hides_nothing_and_each_member_has_its_own():
    x = torch.randn(1, 40, 1, *SIDES)
    batch = Batch(x, torch.zeros(1, 40, dtype=torch.int64))
    members = [Cutout(size=size) for size in (0, 2, 5)]

    together = augmented(members, batch).x

    assert torch.equal(together[:1], x)
    for k, member in enumerate(members):
        assert torch.equal(together[k : k + 1], augmented([member], batch, seeds=(k + 1,)).x)


def test_the_square_is_a_quarter_of_the_shorter_side_if_nothing_is_said(make_job):
    plan = make_plan(make_job(data={"name": "mnist-5k"}, regularizers=[{"kind": "cutout"}]))

    assert plan.resolved_spec.regularizers[0].size == 7


def test_a_square_larger_than_the_image_is_refused(make_job):
    with pytest.raises(SpecError, match="at most the image's longer side, 8; received 9"):
        make_plan(make_job(regularizers=[{"kind": "cutout", "size": 9}]))


def test_two_ways_to_hide_a_part_are_doubtful(make_job):
    plan = make_plan(make_job(regularizers=[{"kind": "random_erasing"}, {"kind": "cutout"}]))

    assert [(one.code, one.pointer) for one in plan.warnings] == [("cutout_with_random_erasing", "/regularizers/1")]
