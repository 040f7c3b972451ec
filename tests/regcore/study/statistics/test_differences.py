import math
from dataclasses import replace

import numpy as np
import pytest
from job_groups import group_from_rows, group_of
from scipy.stats import binomtest, ttest_ind, ttest_rel

from regcore.study.statistics import Group
from regcore.study.statistics.differences import (
    NO_NOISE,
    NO_ROWS,
    NO_VALUE,
    ONE_MEMBER,
    ONE_MEMBER_EACH,
    OTHER_ROWS,
    differ,
)

BASELINE, BETTER = [0.51, 0.47, 0.55, 0.50], [0.44, 0.43, 0.49, 0.47]


@pytest.fixture
def rng():
    return np.random.default_rng(9)


def _assert_is(difference, expected):
    """SciPy's test result, with its 95 % interval."""
    interval = expected.confidence_interval(0.95)
    assert difference.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert (difference.low, difference.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


# Seeds alone


def test_equal_seeds_without_rows_make_the_paired_t_test():
    difference = differ(group_of("a", BASELINE), group_of("b", BETTER))

    _assert_is(difference, ttest_rel(BETTER, BASELINE))
    assert difference.value == pytest.approx(-0.05)
    assert (difference.paired, difference.num_pairs) == (True, 4)
    assert difference.notes == (NO_ROWS,)


def test_other_seeds_without_rows_make_welchs_test():
    difference = differ(group_of("a", BASELINE), group_of("b", BETTER[:3], seeds=[7, 8, 9]))

    _assert_is(difference, ttest_ind(BETTER[:3], BASELINE, equal_var=False))
    assert (difference.paired, difference.num_pairs) == (False, 0)


def test_a_single_member_borrows_the_other_groups_noise_and_says_so():
    difference = differ(group_of("a", BASELINE), group_of("b", [0.3], seeds=[9]))

    _assert_is(difference, ttest_ind([0.3], BASELINE, equal_var=True))
    assert difference.notes == (ONE_MEMBER, NO_ROWS)


@pytest.mark.parametrize(
    ("group", "factor"),
    [
        (group_of("b", BETTER), (1 / 4 + 0.25) / (1 / 4)),  # paired
        (group_of("b", BETTER, seeds=range(5, 9)), (1 / 4 + 0.25) / (1 / 4)),  # the same for both groups
        (group_of("b", BETTER[:1], seeds=[9]), (1 / 4 + 1 + 2 * 0.25) / (1 / 4 + 1)),
    ],
)
def test_splits_drawn_anew_widen_the_interval_by_nadeau_and_bengios_ratio(group, factor):
    plain = differ(group_of("a", BASELINE), group)

    corrected = differ(group_of("a", BASELINE), group, resplit_ratio=0.25)

    assert corrected.high - corrected.low == pytest.approx(math.sqrt(factor) * (plain.high - plain.low))
    assert NO_ROWS not in corrected.notes


def test_splits_drawn_anew_have_the_rows_noise_between_seeds_already(rng):
    baseline, group = group_from_rows("a", rng.random((3, 40))), group_from_rows("b", rng.random((3, 40)))

    assert differ(baseline, group, resplit_ratio=0.25).noise["rows"] is None


def test_a_single_split_is_measured_by_its_rows(rng):
    baseline, group = group_from_rows("a", rng.random((1, 40))), group_from_rows("b", rng.random((1, 40)))

    assert differ(baseline, group, resplit_ratio=0.25) == differ(baseline, group)


@pytest.mark.parametrize("seeds", [[0, 1, 2], [5, 6, 7]])
def test_members_that_agree_leave_nothing_to_measure_by(seeds):
    difference = differ(
        group_of("a", [0.9, 0.8, 0.7], seeds=[0, 1, 2]), group_of("b", [0.8, 0.7, 0.6], seeds=[0, 1, 2])
    )
    unpaired = differ(group_of("a", [0.9] * 3), group_of("b", [0.8] * 3, seeds=seeds))

    for each in (difference, unpaired):
        assert each.value == pytest.approx(-0.1)
        assert (each.low, each.high, each.p_value) == (None, None, None)
        assert each.notes == (NO_NOISE, NO_ROWS)


def test_one_member_each_without_rows_leaves_nothing_to_measure_by():
    difference = differ(group_of("a", [0.9]), group_of("b", [0.5]))

    assert difference.value == pytest.approx(-0.4)
    assert (difference.low, difference.p_value) == (None, None)
    assert difference.notes == (NO_NOISE, ONE_MEMBER_EACH, NO_ROWS)


def test_it_is_said_whether_the_rows_noise_is_in_the_interval(rng):
    rows = rng.random((2, 3, 40))
    known, unknown = ([make(name, own) for name, own in zip("ab", rows, strict=True)] for make in (
        group_from_rows, lambda name, own: group_of(name, list(own.mean(1)))))  # fmt: skip

    assert differ(*known).holds_rows
    assert not differ(*unknown).holds_rows
    assert differ(*unknown, resplit_ratio=0.25).holds_rows
    assert not differ(group_of("a", [0.5]), group_of("b", [0.4]), resplit_ratio=0.25).holds_rows


def test_a_group_of_failures_has_no_difference():
    difference = differ(group_of("a", [0.9, 0.8]), group_of("b", [None, None]))

    assert (difference.value, difference.low, difference.p_value) == (None, None, None)
    assert difference.notes == (NO_VALUE, "b: 2 of 2 have no value and are left out.")


def test_values_beyond_arithmetic_are_none_and_warn_of_nothing():
    rows = np.array([[1e200, 3e200], [2e200, 1e200]])

    difference = differ(group_from_rows("a", rows), group_from_rows("b", 1e107 * rows[::-1]))

    assert (difference.low, difference.high) == (None, None)
    assert difference.p_value == 1.0


# Rows


def test_one_member_each_is_the_paired_t_test_over_rows(rng):
    hard = rng.exponential(size=60)
    baseline, group = hard + rng.normal(size=60), hard + 0.5 + rng.normal(size=60)

    difference = differ(group_from_rows("a", baseline[None]), group_from_rows("b", group[None]))

    _assert_is(difference, ttest_rel(group, baseline))
    assert difference.notes == (ONE_MEMBER_EACH,)
    assert difference.noise["seeds"] is None


def test_one_member_each_on_different_rows_adds_both_groups_rows(rng):
    baseline, group = rng.exponential(size=600), rng.exponential(size=500) + 0.2
    interval = ttest_ind(group, baseline, equal_var=False).confidence_interval(0.95)

    difference = differ(group_from_rows("a", baseline[None]), group_from_rows("b", group[None], rows_id="other"))

    assert (difference.low, difference.high) == (
        pytest.approx(interval.low, abs=1e-3),
        pytest.approx(interval.high, abs=1e-3),
    )


def test_one_classifier_each_is_mcnemars_exact_test():
    baseline = np.array([1.0] * 70 + [0.0] * 30)
    group = np.array([1.0] * 67 + [0.0] * 3 + [1.0] * 12 + [0.0] * 18)

    difference = differ(group_from_rows("a", baseline[None], seeds=[0]), group_from_rows("b", group[None], seeds=[5]))

    assert difference.value == pytest.approx(0.09)
    assert difference.p_value == pytest.approx(binomtest(3, 15, 0.5).pvalue)
    assert difference.mcnemar == [
        {
            "job_ids": ["job_a_0", "job_b_5"],
            "num_only_baseline_right": 3,
            "num_only_group_right": 12,
            "num_rows": 100,
            "p_value": difference.p_value,
        }
    ]
    assert 0 < difference.low < 0.09 < difference.high
    assert difference.notes == (ONE_MEMBER_EACH,)


def test_several_classifiers_have_mcnemars_test_for_each_pair_and_the_verdict_from_all(rng):
    baseline, group = (rng.random((3, 80)) < 0.8).astype(float), (rng.random((3, 80)) < 0.8).astype(float)

    difference = differ(group_from_rows("a", baseline), group_from_rows("b", group))

    assert [test["job_ids"] for test in difference.mcnemar] == [[f"job_a_{seed}", f"job_b_{seed}"] for seed in range(3)]
    assert difference.mcnemar[1]["num_only_group_right"] == ((group[1] == 1) & (baseline[1] == 0)).sum()
    assert difference.p_value not in [test["p_value"] for test in difference.mcnemar]


def test_losses_and_unpaired_groups_have_no_mcnemars_test(rng):
    right = (rng.random((3, 80)) < 0.8).astype(float)
    losses, unpaired = rng.random((3, 80)), group_from_rows("b", right[::-1], seeds=[7, 8, 9])

    assert differ(group_from_rows("a", losses), group_from_rows("b", losses[::-1])).mcnemar is None
    assert differ(group_from_rows("a", right), unpaired).mcnemar is None


@pytest.mark.parametrize("seeds", [[0, 1, 2], [7, 8, 9]])
def test_the_rows_add_to_the_seeds_noise(rng, seeds):
    own = rng.normal(size=(1, 100))
    baseline, group = rng.normal(scale=0.01, size=(3, 1)) + own * 0, own + rng.normal(scale=0.01, size=(3, 1))

    difference = differ(group_from_rows("a", baseline), group_from_rows("b", group, seeds=seeds))

    assert difference.noise["rows"] == pytest.approx(own.std(ddof=1) / 10)
    seeds_alone = differ(group_of("a", list(baseline.mean(1))), group_of("b", list(group.mean(1)), seeds=seeds))
    assert difference.noise["seeds"] == pytest.approx(seeds_alone.noise["seeds"])
    assert difference.high - difference.low > 2 * 1.98 * own.std(ddof=1) / 10 > seeds_alone.high - seeds_alone.low


def test_what_seeds_and_rows_make_together_is_counted_once(rng):
    """One way of the two-way analysis of variance, with its mean squares from sums over cells."""
    rows = 0.5 * rng.normal(size=50) + rng.normal(size=(3, 50))
    between_rows = 3 * sum((rows[:, i].mean() - rows.mean()) ** 2 for i in range(50)) / 49
    rest = sum(
        (rows[s, i] - rows[s].mean() - rows[:, i].mean() + rows.mean()) ** 2 for s in range(3) for i in range(50)
    )

    difference = differ(group_from_rows("a", np.zeros((3, 50)) + 0.1), group_from_rows("b", rows))

    expected = (between_rows - rest / (2 * 49)) / (3 * 50)
    assert expected > 0
    assert difference.noise["rows"] == pytest.approx(math.sqrt(expected))


def test_groups_of_other_seeds_and_sizes_share_rows_too(rng):
    hard = 10 * rng.normal(size=60)
    baseline = hard + rng.normal(scale=0.1, size=60) + rng.normal(scale=0.01, size=(3, 60))
    group = hard + rng.normal(scale=0.01, size=(2, 60))

    difference = differ(group_from_rows("a", baseline), group_from_rows("b", group, seeds=[7, 8]))

    assert not difference.paired
    assert difference.noise["rows"] == pytest.approx(0.1 / math.sqrt(60), rel=0.2)


def test_seeds_that_agree_by_chance_leave_at_least_the_noise_for_these_networks(rng):
    """Interaction alone, with the members' means made equal: rows less interaction would be nothing."""
    baseline, group = rng.normal(size=(3, 50)), rng.normal(size=(3, 50))
    group += (baseline.mean(1) - group.mean(1) + 0.3)[:, None]
    rows_alone = ttest_rel(group.mean(0), baseline.mean(0))

    difference = differ(group_from_rows("a", baseline), group_from_rows("b", group))

    assert difference.noise["seeds"] == 0
    _assert_is(difference, rows_alone)


def test_accuracies_that_count_alike_are_not_without_noise():
    """Both seeds have the same four rows more right; two seeds count alike too easily for that to be proof."""
    baseline = np.array([[1.0] * 80 + [0.0] * 20] * 2)
    group = np.array([[1.0] * 84 + [0.0] * 16] * 2)

    difference = differ(group_from_rows("a", baseline), group_from_rows("b", group))

    # Rounding to a hundredth, of both: √(2 / 12 / 2) rows.
    assert difference.noise["seeds"] == pytest.approx(math.sqrt(1 / 12) / 100)
    assert difference.low < 0 < difference.high


def test_equal_losses_in_every_row_are_no_difference_at_all(rng):
    rows = rng.random((3, 40))

    difference = differ(group_from_rows("a", rows), group_from_rows("b", rows))

    assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_a_split_for_each_seed_is_said_when_no_ratio_is_given(rng):
    rows = rng.random((2, 3, 40))
    groups = []
    for name, own in zip("ab", rows, strict=True):
        group = group_from_rows(name, own)
        groups.append(Group(name, [replace(member, rows_id=f"split {member.seed}") for member in group.members]))

    difference = differ(*groups)

    _assert_is(difference, ttest_rel(rows[1].mean(1), rows[0].mean(1)))
    assert difference.notes == (OTHER_ROWS,)
    assert not difference.holds_rows


@pytest.mark.parametrize("first_seed", [0, 50])
def test_the_interval_holds_the_true_difference_in_at_least_95_of_100(rng, first_seed):
    """Seeds and rows of like size, and rows drawn anew each time, as a user's test set was."""
    num_held = 0
    for _ in range(1000):
        hard = rng.exponential(size=80)
        baseline, group = (
            hard
            + shift
            + rng.normal(scale=0.7, size=80)
            + rng.normal(scale=0.1, size=(3, 1))
            + rng.normal(scale=0.7, size=(3, 80))
            for shift in (0.0, 0.4)
        )
        seeds = range(first_seed, first_seed + 3)

        difference = differ(group_from_rows("a", baseline), group_from_rows("b", group, seeds=seeds))

        num_held += difference.low <= 0.4 <= difference.high
    assert binomtest(num_held, 1000, 0.95, alternative="less").pvalue > 1e-3
