import numpy as np
import pytest
import torch
from effects import augmented
from scipy.stats import chisquare

from regcore import make_plan, train
from regcore.data.images.preprocessing import ImagePreprocessing
from regcore.data.rows import Batch
from regcore.errors import SpecError
from regcore.regularizers.crop_flip import CropFlip
from regcore.tasks import Reconstruction

IMAGE = np.arange(1.0, 41.0).reshape(2, 4, 5)
"""Two channels; no pixel has the value of another one."""


def batch_of(num_rows, image=IMAGE, dtype=torch.float64):
    x = torch.tensor(image, dtype=dtype).expand(1, num_rows, *image.shape)
    return Batch(x, torch.zeros(1, num_rows, dtype=torch.int64))


def candidates(padding, black=0.0, image=IMAGE):
    """All that may become of the image, by NumPy, and whether each is flipped."""
    around = ((0, 0), (padding, padding), (padding, padding))
    padded = np.pad(image - black, around) + black
    height, width = image.shape[1:]
    places = range(2 * padding + 1)
    cropped = [padded[:, top : top + height, left : left + width] for top in places for left in places]
    return [*cropped, *(crop[..., ::-1] for crop in cropped)]


def counts_of(x, images):
    """How often each of these images is among the rows (B, ...), which hold no other."""
    known = np.stack(images)
    is_same = (x.numpy()[:, None] == known[None]).reshape(len(x), len(known), -1).all(2)
    assert (is_same.sum(1) == 1).all()
    return is_same.sum(0)


def test_every_shift_is_as_likely_as_any_other_with_black_where_nothing_was():
    x = augmented([CropFlip(padding=1, flip_probability=0.5)], batch_of(3000)).x[0]

    assert chisquare(counts_of(x, candidates(1))).pvalue > 1e-3


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_images_are_mirrored_as_often_as_is_asked(probability):
    x = augmented([CropFlip(padding=0, flip_probability=probability)], batch_of(2000)).x[0]

    flipped = counts_of(x, candidates(0))[1]
    assert flipped / 2000 == pytest.approx(probability, abs=4 * np.sqrt(probability * (1 - probability) / 2000))


def test_the_margin_of_standardized_images_is_as_black_as_before():
    mean, std = (2.0, 0.5), (4.0, 0.25)
    preprocessing = ImagePreprocessing((2, 4, 5), 255.0, mean, std)
    image = preprocessing.standardize(IMAGE)

    x = augmented([CropFlip(padding=1, flip_probability=0.0)], batch_of(200, image), preprocessing=preprocessing).x[0]

    raw = np.asarray(x) * np.reshape(std, (2, 1, 1)) + np.reshape(mean, (2, 1, 1))
    assert counts_of(torch.tensor(raw.round(9)), candidates(1)[:9]).all()


def test_members_have_margins_of_their_own_and_draw_as_they_would_alone():
    members = [CropFlip(padding=padding, flip_probability=0.5) for padding in (0, 1, 3)]

    together = augmented(members, batch_of(50)).x

    for k, member in enumerate(members):
        assert torch.equal(together[k : k + 1], augmented([member], batch_of(50), seeds=(k + 1,)).x)
        assert counts_of(together[k], candidates(member.padding)).sum() == 50
    assert not torch.equal(together, augmented(members, batch_of(50), step=1).x)
    assert not torch.equal(together, augmented(members, batch_of(50), micro=1).x)


def test_nothing_is_done_without_a_margin_and_flips():
    batch = batch_of(10, dtype=torch.float32)

    assert torch.equal(augmented([CropFlip(padding=0, flip_probability=0.0)], batch).x, batch.x)


def test_an_autoencoder_learns_the_moved_image():
    batch = batch_of(20)
    noisy = Batch(batch.x + 100, batch.x)

    both = augmented([CropFlip(padding=1)], Batch(batch.x, batch.x), task=Reconstruction("mse"))
    apart = augmented([CropFlip(padding=1)], noisy, task=Reconstruction("mse"))

    assert torch.equal(both.x, both.y)
    assert torch.equal(apart.y, both.y)
    assert not torch.equal(apart.y, apart.x)


def test_the_margin_is_an_eighth_of_the_shorter_side_if_none_is_given(make_job):
    plan = make_plan(make_job(data={"name": "mnist-5k"}, regularizers=[{"kind": "crop_flip"}]))

    assert plan.resolved_spec.regularizers[0].padding == 4  # of 28
    assert make_plan(plan.resolved_spec).resolved_spec == plan.resolved_spec


def test_metrics_are_of_images_as_they_are(make_job):
    still = {"kind": "sgd", "learning_rate": 1e-9}

    clean = train(make_job(optimizer=still)).history[-1]["values"]
    values = train(make_job(optimizer=still, regularizers=[{"kind": "crop_flip", "padding": 3}])).history[-1]["values"]

    assert abs(values["objective/data"] - clean["objective/data"]) > 1e-4
    assert values["train/loss"] == pytest.approx(clean["train/loss"], abs=1e-6)


@pytest.mark.parametrize(
    ("data", "padding", "message"),
    [
        ("wine", 1, r"crop_flip needs images, \(channels, height, width\), and these rows are numbers, \(13,\)"),
        ("digits", 8, "padding must be less than the image's sides, 8 and 8; received 8"),
    ],
)
def test_what_it_cannot_act_on_is_refused_at_its_place(make_job, data, padding, message):
    job = make_job(data={"name": data}, regularizers=[{"kind": "crop_flip", "padding": padding}])

    with pytest.raises(SpecError, match=message) as refused:
        make_plan(job)

    assert refused.value.errors[0].pointer == "/regularizers/0"


def test_flips_of_digits_are_doubted_and_shifts_are_not(make_job):
    def codes(probability):
        regularizer = {"kind": "crop_flip", "padding": 1, "flip_probability": probability}
        return [(one.code, one.pointer) for one in make_plan(make_job(regularizers=[regularizer])).warnings]

    assert codes(0.5) == [("flipped_characters", "/regularizers/0/flip_probability")]
    assert codes(0.0) == []
