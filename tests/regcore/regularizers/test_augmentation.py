"""Regularizers of texts and sounds in whole runs, and what holds for all that change rows."""

from functools import partial

import numpy as np
import pytest
import torch
from part_way import hashes_of, train_steps
from sound_rows import SoundRows
from token_rows import NUM_STEPS, TokenRows

from regcore.checkpoint import load_newest, save_checkpoint
from regcore.plan import make_plan
from regcore.regularizers.augmentation import not_images, not_numbers, not_sound, not_tokens, whole_numbers
from regcore.shapes import RowInfo

TEXTS, SOUNDS = TokenRows(), SoundRows()
READ_WORDS = [{"kind": "embedding", "features": 6}, {"kind": "lstm", "hidden": 5}]
REGULARIZERS = {
    "texts": lambda k: [
        {"kind": "word_dropout", "p": 0.1 * k},
        {"kind": "token_swap", "alpha": 0.25 * k},
    ],
    "sounds": lambda k: [
        {"kind": "audio_noise", "min_snr_db": 5.0 * k, "p": 0.5 * k},
        {"kind": "spec_augment", "freq_mask_param": k, "time_mask_param": 2 * k, "p": 0.5 * k},
        {"kind": "time_shift", "max_shift": 0.2 * k},
        {"kind": "input_noise", "std": 0.1 * k},
        {"kind": "mixup", "alpha": 0.2 * k},
    ],
}
RUNS = {"texts": (TEXTS, READ_WORDS), "sounds": (SOUNDS, READ_WORDS[1:])}


@pytest.fixture
def jobs_of(make_job):
    """Three jobs whose regularizers differ in all that they may; those of the first do nothing."""

    def make(name, **training):
        layers = [*RUNS[name][1], {"kind": "global_pool"}, {"kind": "linear"}]
        return [
            make_job(
                data={"train_limit": None},
                model={"kind": "layers", "layers": layers},
                regularizers=REGULARIZERS[name](k),
                training={"epochs": 2, "batch_size": 11, "seed": 3 + k, "precision": "float64"} | training,
            )
            for k in range(3)
        ]

    return make


@pytest.mark.parametrize("name", RUNS)
def test_a_member_ends_as_its_solo_run_does(train_members, jobs_of, name):
    jobs, source = jobs_of(name, grad_accumulation=2), RUNS[name][0]
    assert len({make_plan(job, facts_of=source.facts).fusion_key for job in jobs}) == 1

    together = train_members(*jobs, source=source)

    for job, ours in zip(jobs, together, strict=True):
        (solo,) = train_members(job, source=source)
        torch.testing.assert_close(ours.state, solo.state, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", RUNS)
def test_regularizers_that_do_nothing_change_no_bit(train_members, jobs_of, name):
    job = jobs_of(name)[0]

    (ours,), (plain,) = (train_members(one, source=RUNS[name][0]) for one in (job, job | {"regularizers": []}))

    torch.testing.assert_close(ours.state, plain.state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_goes_on_from_the_middle_of_an_epoch_has_the_same_bits(jobs_of, make_trainer, tmp_path, name):
    jobs, source = jobs_of(name, precision="float32"), RUNS[name][0]
    stopped = train_steps(make_trainer(*jobs, source=source), 8)
    save_checkpoint(tmp_path, stopped.step, stopped.state())
    checkpoint = load_newest(tmp_path)

    resumed = make_trainer(*jobs, source=source)
    resumed.resume(checkpoint.step, checkpoint.state)

    assert stopped.step % stopped.members[0].plan.steps_per_epoch != 0
    assert hashes_of(resumed) == hashes_of(make_trainer(*jobs, source=source))


@pytest.mark.parametrize("name", RUNS)
def test_what_is_done_to_a_batch_is_pure_and_leaves_what_is_behind_its_rows(jobs_of, make_trainer, name):
    stack = make_trainer(*jobs_of(name), source=RUNS[name][0]).stack
    batch = stack.data.train.fetch(stack.rows(0, 1))
    x, lengths = batch.x.clone(), batch.lengths
    behind = torch.arange(NUM_STEPS) >= lengths.unsqueeze(2)

    for effect in stack._effects.values():
        first, again = (effect.on_batch(batch, stack._at(4)) for _ in range(2))
        assert torch.equal(first.x, again.x)
        assert torch.equal(batch.x, x)
        assert not torch.equal(first.x[2], x[2])
        if effect.setting.name != "mixup":  # which makes rows as long as the longer one
            assert torch.equal(first.x[behind], x.expand_as(first.x)[behind])


def test_crops_and_shifts_come_before_noise_masks_and_mixtures(make_job, make_trainer):
    kinds = ["label_smoothing", "cutmix", "cutout", "random_erasing", "swap_noise", "input_noise", "crop_flip"]
    regularizers = [REGULARIZER_OF[kind] | {"kind": kind} for kind in kinds]

    stack = make_trainer(make_job(regularizers=regularizers)).stack

    order = [effect.setting.name for effect in stack._step.chain("on_batch")]
    assert order == ["crop_flip", "swap_noise", "input_noise", "cutout", "random_erasing", "cutmix", "label_smoothing"]


REGULARIZER_OF = {
    "crop_flip": {},
    "cutmix": {},
    "cutout": {},
    "input_noise": {"std": 0.1},
    "label_smoothing": {"epsilon": 0.1},
    "random_erasing": {},
    "swap_noise": {"p": 0.1},
}

TABLE, IMAGE, SOUND = RowInfo((30,)), RowInfo((1, 8, 8)), RowInfo((9, 4), varies=True)
TEXT = RowInfo((9,), tokens=20, varies=True)


@pytest.mark.parametrize(
    ("problem", "fitting"),
    [(not_images, [IMAGE]), (not_numbers, [TABLE, IMAGE, SOUND]), (not_tokens, [TEXT]), (not_sound, [SOUND])],
)
def test_each_sort_of_rows_is_told_from_the_others(problem, fitting):
    of = partial(problem, "some_kind")

    assert [row for row in (TABLE, IMAGE, SOUND, TEXT) if of(row) is None] == fitting
    assert of(None) is None
    assert all(of(row).startswith("some_kind needs ") for row in (TABLE, IMAGE, SOUND, TEXT) if of(row) is not None)


def test_a_number_just_below_1_gives_the_last_whole_number():
    almost = torch.tensor([0.0, 0.5, np.nextafter(1, 0)], dtype=torch.float64)

    assert whole_numbers(almost, 3).tolist() == [0, 1, 2]
    assert whole_numbers(almost, 2.0**53)[2] == 2.0**53 - 1
