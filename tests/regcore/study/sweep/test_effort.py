from itertools import pairwise

from regcore.study.sweep.effort import LADDER, with_seeds


def test_no_step_of_the_ladder_tries_more_than_the_one_before() -> None:
    for before, after in pairwise(LADDER):
        assert after != before
        assert after.num_seeds <= before.num_seeds
        assert after.num_values <= before.num_values
        assert after.num_steps <= before.num_steps
        assert after.num_left_out >= before.num_left_out


def test_values_go_first_then_steps_then_seeds() -> None:
    changed = [
        next(name for name in vars(before) if getattr(before, name) != getattr(after, name))
        for before, after in pairwise(LADDER)
    ]

    assert list(dict.fromkeys(changed)) == ["num_values", "num_steps", "num_seeds", "num_left_out"]


def test_a_fixed_number_of_seeds_stays() -> None:
    assert {effort.num_seeds for effort in with_seeds(7)} == {7}
    assert len(set(with_seeds(7))) == len(with_seeds(7))
