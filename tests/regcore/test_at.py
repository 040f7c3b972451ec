import pytest
import torch

from regcore.at import At

HERE = At(step=4, steps_per_epoch=3, num_steps=9, seeds=(1, 2))


def test_every_member_has_a_stream_of_its_own_seed():
    first, second = HERE.streams("mask", "dropout1")

    assert first != second
    assert At(4, 3, 9, seeds=(2,)).streams("mask", "dropout1") == [second]


@pytest.mark.parametrize(
    "other",
    [At(5, 3, 9, seeds=(1, 2)), At(4, 3, 9, seeds=(1, 2), micro=1), HERE.again("r_drop"), At(4, 3, 9, seeds=(3, 4))],
    ids=["step", "part", "again", "seeds"],
)
def test_streams_differ_by_step_part_pass_and_seed(other):
    assert not set(HERE.streams("mask")) & set(other.streams("mask"))


def test_streams_differ_by_purpose_and_not_by_the_length_of_the_run():
    assert HERE.streams("mask", "dropout1") != HERE.streams("mask", "dropout2")
    assert HERE.streams("mask") == At(4, 2, 100, seeds=(1, 2), training=False).streams("mask")


def test_the_epoch_is_the_number_of_those_completed():
    assert [At(step, 3, 9).epoch for step in (0, 2, 3, 8)] == [0, 0, 1, 2]


def test_uniform_numbers_are_each_members_own():
    drawn = HERE.uniform((50, 40), torch.zeros(1), "noise")

    assert drawn.shape == (2, 50, 40)
    assert 0 <= drawn.min() < 0.01 < 0.99 < drawn.max() < 1
    assert torch.equal(drawn[1], At(4, 3, 9, seeds=(2,)).uniform((50, 40), torch.zeros(1), "noise")[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_normal_numbers_are_each_members_own_and_of_the_dtype(dtype):
    drawn = HERE.normal((50, 40), torch.zeros(1, dtype=dtype), "noise")

    assert drawn.dtype == dtype
    assert abs(float(drawn.mean())) < 0.1
    assert abs(float(drawn.std()) - 1) < 0.1
    assert torch.equal(drawn[1], At(4, 3, 9, seeds=(2,)).normal((50, 40), torch.zeros(1, dtype=dtype), "noise")[0])


def test_each_member_chooses_with_its_own_chance_none_at_0_and_all_at_1():
    here = At(4, 3, 9, seeds=(1, 2, 3))

    chosen = here.chosen([0.0, 0.3, 1.0], (50, 40), torch.zeros(1), "mask")

    assert chosen.double().mean((1, 2)).tolist() == pytest.approx([0.0, 0.3, 1.0], abs=0.05)
    assert chosen[2].all()
    assert not chosen[0].any()


def test_a_seeded_module_draws_the_members_numbers_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()

    with HERE.seeded(1, "module"):
        first = torch.rand(3)
    with HERE.seeded(1, "module"):
        again = torch.rand(3)

    assert torch.equal(first, again)
    assert torch.equal(torch.random.get_rng_state(), before)
