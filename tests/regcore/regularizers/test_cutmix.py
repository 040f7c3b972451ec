import numpy as np
import pytest
import torch
from effects import augmented

from regcore import make_plan
from regcore.data.rows import Batch
from regcore.regularizers.cutmix import CutMix
from regcore.tasks import Classification, Reconstruction, Regression

SIDES = (6, 9)
NUM_ROWS = 8
CLASSES = Classification("cross_entropy", NUM_ROWS)


def rows_by_number(y=None):
    """Images whose pixels all say which row they are of; the row's class is its number too."""
    numbers = torch.arange(NUM_ROWS)
    x = numbers.double().view(1, -1, 1, 1, 1).expand(1, NUM_ROWS, 2, *SIDES)
    return Batch(x, numbers.unsqueeze(0) if y is None else y)


def shares(x):
    """How much of each image (B, C, H, W) is of each row, (B, rows)."""
    return torch.stack([(x == number).double().mean((1, 2, 3)) for number in range(NUM_ROWS)], 1)


def reference_areas(alpha, num_draws):
    """The share of the image that is replaced, by the authors' code (rand_bbox)."""
    random = np.random.default_rng(3)
    height, width = SIDES
    areas = []
    for _ in range(num_draws):
        ratio = np.sqrt(1.0 - random.beta(alpha, alpha))
        cut_w, cut_h = int(width * ratio), int(height * ratio)
        cx, cy = random.integers(width), random.integers(height)
        x1, x2 = (np.clip(cx + sign * (cut_w // 2), 0, width) for sign in (-1, 1))
        y1, y2 = (np.clip(cy + sign * (cut_h // 2), 0, height) for sign in (-1, 1))
        areas.append((x2 - x1) * (y2 - y1) / (width * height))
    return np.array(areas)


def test_targets_have_the_shares_of_the_pixels_and_the_loss_is_that_mixture():
    logits = torch.randn(1, NUM_ROWS, NUM_ROWS, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    for step in range(20):
        batch = augmented([CutMix(alpha=1.0)], rows_by_number(), step, task=CLASSES)

        of_each = shares(batch.x[0])
        torch.testing.assert_close(batch.y[0].double(), of_each)
        losses = torch.nn.functional.cross_entropy(
            logits[0].repeat_interleave(NUM_ROWS, 0), torch.arange(NUM_ROWS).repeat(NUM_ROWS), reduction="none"
        ).view(NUM_ROWS, NUM_ROWS)
        torch.testing.assert_close(CLASSES.row_losses(logits, batch.y)[0], (of_each * losses).sum(1))


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_as_much_is_replaced_as_by_the_authors_code(alpha):
    drawn = augmented([CutMix(alpha=alpha)] * 400, rows_by_number(), task=CLASSES)

    areas = [1 - float(shares(x).diagonal().min()) for x in drawn.x]

    expected = reference_areas(alpha, 20_000)
    assert np.mean(areas) == pytest.approx(expected.mean(), abs=4 * expected.std() / 20)
    assert max(areas) > 0.5


def test_the_rectangle_is_one_for_all_rows_of_a_batch_and_all_channels():
    batch = augmented([CutMix(alpha=1.0)], rows_by_number(), 4, task=CLASSES)

    own = torch.arange(NUM_ROWS).view(-1, 1, 1, 1)
    replaced = (batch.x[0] != own)[(batch.x[0] != own).flatten(1).any(1)]
    assert replaced.any()
    assert (replaced == replaced[0, 0]).all()


def test_numbers_are_mixed_by_the_area_and_images_by_themselves():
    y = torch.randn(1, NUM_ROWS, dtype=torch.float64)

    numbers = augmented([CutMix()], rows_by_number(y), 4, task=Regression("mse"))
    rows = augmented([CutMix()], rows_by_number(rows_by_number().x + 0.5), 4, task=Reconstruction("mse"))

    torch.testing.assert_close(numbers.y[0], shares(numbers.x[0]) @ y[0])
    assert torch.equal(rows.y, rows.x + 0.5)


def test_alpha_0_mixes_nothing_and_each_member_draws_as_it_would_alone():
    members = [CutMix(alpha=alpha) for alpha in (0.0, 0.3, 1.0)]

    together = augmented(members, rows_by_number(), 4, task=CLASSES)

    assert torch.equal(together.x[:1], rows_by_number().x)
    for k, member in enumerate(members):
        alone = augmented([member], rows_by_number(), 4, task=CLASSES, seeds=(k + 1,))
        assert torch.equal(together.x[k : k + 1], alone.x)
        assert torch.equal(together.y[k : k + 1], alone.y)


def test_what_mixes_beside_it_is_doubted(make_job):
    plan = make_plan(make_job(regularizers=[{"kind": "mixup", "alpha": 0.2}, {"kind": "cutmix"}, {"kind": "cutmix"}]))

    assert sorted({(one.code, one.pointer) for one in plan.warnings}) == [
        ("cutmix_twice", "/regularizers/2"),
        ("cutmix_with_mixup", "/regularizers/1"),
        ("cutmix_with_mixup", "/regularizers/2"),
    ]
