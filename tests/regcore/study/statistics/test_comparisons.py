import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from job_groups import group_of, noisy_group, steady_group
from scipy.stats import binomtest, ttest_rel

from regcore.errors import SpecError
from regcore.study.statistics import compare, mean_interval
from regcore.study.statistics.comparisons import SEEDS_ALONE, holm

NONE, L2, DROPOUT = [0.51, 0.47, 0.55, 0.50], [0.44, 0.40, 0.49, 0.42], [0.52, 0.45, 0.56, 0.51]
NUM_FAMILIES = 600


@pytest.fixture
def compared():
    return compare([steady_group("none", NONE), steady_group("l2", L2), steady_group("dropout", DROPOUT)], "test/loss")


def _verdicts(comparison):
    return {(each["baseline"], each["group"]): each["verdict"] for each in comparison["differences"]}


def _says_anything(comparison):
    return any(verdict != "no_measurable_effect" for verdict in _verdicts(comparison).values())


def test_every_later_group_is_compared_with_every_earlier_one(compared):
    assert list(_verdicts(compared)) == [("none", "l2"), ("none", "dropout"), ("l2", "dropout")]


def test_with_a_baseline_each_other_group_is_compared_with_it_alone(compared):
    groups = [steady_group("none", NONE), steady_group("l2", L2), steady_group("dropout", DROPOUT)]

    planned = compare(groups, "test/loss", baseline="l2")

    assert list(_verdicts(planned)) == [("l2", "none"), ("l2", "dropout")]
    pairs, few = compared["differences"][0], planned["differences"][0]
    assert few["difference"]["value"] == -pairs["difference"]["value"]
    assert few["p_value"] == pytest.approx(pairs["p_value"])
    assert few["p_value_corrected"] < pairs["p_value_corrected"]  # two comparisons in place of three


def test_the_verdict_is_helps_where_the_later_group_is_better_in_the_metrics_direction(compared):
    opposite = compare([steady_group("none", NONE), steady_group("l2", L2)], "test/accuracy")

    assert _verdicts(compared) == {
        ("none", "l2"): "helps",
        ("none", "dropout"): "no_measurable_effect",
        ("l2", "dropout"): "hurts",
    }
    assert _verdicts(opposite) == {("none", "l2"): "hurts"}


def test_a_mode_of_ones_own_goes_before_the_metrics():
    comparison = compare([steady_group("none", NONE), steady_group("l2", L2)], "sparsity", "max")

    assert (comparison["mode"], _verdicts(comparison)) == ("max", {("none", "l2"): "hurts"})


def test_groups_are_described_by_their_mean_and_interval(compared):
    expected = mean_interval(NONE)

    assert compared["groups"][0] == {
        "name": "none",
        "mean": expected["value"],
        "low": expected["low"],
        "high": expected["high"],
        "num": 4,
        "num_missing": 0,
    }


def test_a_difference_has_its_own_interval_and_both_p_values(compared):
    expected = ttest_rel(L2, NONE)
    p_values = [expected.pvalue, ttest_rel(DROPOUT, NONE).pvalue, ttest_rel(DROPOUT, L2).pvalue]

    first = compared["differences"][0]

    assert first["difference"]["value"] == pytest.approx(np.mean(L2) - np.mean(NONE))
    assert first["difference"]["low"] == pytest.approx(expected.confidence_interval(0.95).low)
    assert first["difference"]["high"] == pytest.approx(expected.confidence_interval(0.95).high)
    assert first["p_value"] == pytest.approx(expected.pvalue)
    assert sorted(p_values)[0] == expected.pvalue  # so Holm's factor is the number of pairs
    assert first["p_value_corrected"] == pytest.approx(3 * expected.pvalue)


def test_what_counts_alone_but_not_among_many_is_said():
    values = [0.44, 0.45, 0.51, 0.47]
    rest = [steady_group("x", NONE[::-1], seeds=range(9, 13)), steady_group("y", DROPOUT, seeds=range(20, 24))]
    assert 0.05 / 6 < ttest_rel(values, NONE).pvalue < 0.05

    alone = compare([steady_group("none", NONE), steady_group("l2", values)], "test/loss")["differences"][0]
    among = compare([steady_group("none", NONE), steady_group("l2", values), *rest], "test/loss")["differences"][0]

    assert (alone["verdict"], among["verdict"]) == ("helps", "no_measurable_effect")
    assert "as one of 6 comparisons it does not" in among["note"]
    assert alone["note"] is None


def test_groups_without_values_are_none_and_correct_nothing_else(compared):
    comparison = compare(
        [steady_group("none", NONE), steady_group("l2", L2), group_of("failed", [None, None])], "test/loss"
    )

    first, *others = comparison["differences"]
    assert first["p_value_corrected"] == first["p_value"]
    assert [(each["difference"]["value"], each["p_value"], each["verdict"]) for each in others] == [
        (None, None, "no_measurable_effect")
    ] * 2
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison


def test_what_training_alone_would_show_is_not_claimed_where_the_rows_noise_is_not_known(compared):
    unknown = compare([group_of("none", NONE), group_of("l2", L2)], "test/loss")["differences"][0]

    assert unknown["p_value"] == compared["differences"][0]["p_value"] < 0.01
    assert unknown["verdict"] == "no_measurable_effect"
    assert SEEDS_ALONE in unknown["note"]


def test_splits_drawn_anew_need_no_rows_for_a_verdict_and_widen_every_interval(compared):
    groups = [group_of("none", NONE), group_of("l2", L2)]

    anew = compare(groups, "test/loss", resplit_ratio=0.25)

    assert _verdicts(anew) == {("none", "l2"): "helps"}
    assert anew["differences"][0]["note"] is None
    for group, plain in zip(anew["groups"], compared["groups"], strict=False):
        # √(1/n + ratio) over √(1/n), n = 4
        assert group["high"] - group["low"] == pytest.approx(2**0.5 * (plain["high"] - plain["low"]))


def test_a_note_on_all_is_on_each():
    groups = [steady_group("none", NONE), steady_group("l2", L2), group_of("lost", [None])]

    notes = [each["note"] for each in compare(groups, "test/loss", notes=["Chosen by it."])["differences"]]

    assert notes[0] == "Chosen by it."
    assert all(note.endswith("Chosen by it.") for note in notes)


@pytest.mark.parametrize(
    ("groups", "pointer"), [([], "/groups"), (["a"], "/groups"), (["a", "b", "a"], "/groups/2/name")]
)
def test_too_few_groups_and_repeated_names_are_refused(groups, pointer):
    with pytest.raises(SpecError) as caught:
        compare([steady_group(name, NONE) for name in groups], "test/loss")

    assert [error.pointer for error in caught.value.errors] == [pointer]


def test_holm_by_hand():
    # Holm 1979: 4 · 0.005, 3 · 0.01, 2 · 0.03, and 0.04 may not fall below the one before it.
    assert holm([0.01, 0.04, None, 0.03, 0.005]) == [
        pytest.approx(0.03),
        pytest.approx(0.06),
        None,
        pytest.approx(0.06),
        pytest.approx(0.02),
    ]


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.2))
def test_holm_rejects_what_stepping_down_rejects(p_values, level):
    remaining, rejected = set(range(len(p_values))), set()
    while remaining:
        smallest = min(remaining, key=lambda place: p_values[place])
        if p_values[smallest] * len(remaining) >= level:
            break
        rejected.add(smallest)
        remaining.remove(smallest)

    assert {place for place, p in enumerate(holm(p_values)) if p < level} == rejected


# How often it is wrong, and how often it sees what is there


@pytest.mark.parametrize(
    ("num_members", "seed_noise", "row_noise", "paired"),
    [
        (3, 0.05, 0.0, True),
        (3, 0.05, 0.1, True),
        (3, 0.05, 0.5, True),
        (3, 0.0, 0.5, True),
        (2, 0.05, 0.2, True),
        (3, 0.05, 0.0, False),
        (3, 0.05, 0.2, False),
    ],
)
def test_on_pure_noise_of_four_groups_at_most_5_of_100_say_anything(num_members, seed_noise, row_noise, paired):
    rng = np.random.default_rng(20)

    num_wrong = 0
    for _ in range(NUM_FAMILIES):
        hard = rng.exponential(size=100)
        groups = [
            noisy_group(
                name,
                rng,
                hard,
                num_members=num_members,
                seed_noise=seed_noise,
                row_noise=row_noise,
                first_seed=0 if paired else 10 * place,
            )
            for place, name in enumerate("abcd")
        ]
        num_wrong += _says_anything(compare(groups, "test/loss"))

    assert binomtest(num_wrong, NUM_FAMILIES, 0.05, alternative="greater").pvalue > 1e-3


def test_on_accuracies_of_pure_noise_at_most_5_of_100_say_anything():
    """Counts of 200 rows, in which two seeds often agree by chance."""
    rng = np.random.default_rng(21)

    num_wrong = 0
    for _ in range(NUM_FAMILIES):
        margins = rng.normal(1.0, 1.0, size=200)
        groups = []
        for name in "abcd":
            right = [(margins + rng.normal(scale=0.05) > 0).astype(float) for _ in range(2)]
            groups.append(group_of(name, [float(own.mean()) for own in right], rows=right))
        num_wrong += _says_anything(compare(groups, "test/accuracy"))

    assert binomtest(num_wrong, NUM_FAMILIES, 0.05, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize(("effect", "verdict"), [(-0.3, "helps"), (0.3, "hurts")])
def test_a_real_effect_is_seen_with_three_seeds_and_the_groups_without_it_are_left_alone(effect, verdict):
    rng = np.random.default_rng(22)
    seen = []
    for _ in range(100):
        hard = rng.exponential(size=500)
        groups = [
            noisy_group(name, rng, hard, seed_noise=0.02, row_noise=0.2, effect=effect if name == "c" else 0.0)
            for name in "abc"
        ]
        seen.append(_verdicts(compare(groups, "test/loss")))

    assert sum(each["a", "c"] == verdict for each in seen) >= 90
    assert sum(each["a", "b"] != "no_measurable_effect" for each in seen) <= 5
