import json

import numpy as np
import pytest
from job_groups import group_of, noisy_group, steady_group

from regcore.errors import SpecError
from regcore.study.statistics import ablate, compare

FULL, WITHOUT_L2, WITHOUT_DROPOUT = [0.44, 0.40, 0.49, 0.42], [0.51, 0.47, 0.55, 0.50], [0.43, 0.42, 0.48, 0.42]


@pytest.fixture
def ablation():
    return ablate(
        steady_group("full", FULL),
        [steady_group("l2", WITHOUT_L2), steady_group("dropout", WITHOUT_DROPOUT)],
        "test/loss",
    )


def test_what_a_regularizer_contributes_is_positive_where_it_helps(ablation):
    l2, dropout = ablation["contributions"]

    assert (l2["regularizer"], l2["verdict"]) == ("l2", "helps")
    assert l2["contribution"]["value"] == pytest.approx(0.07)
    assert 0 < l2["contribution"]["low"] < 0.07 < l2["contribution"]["high"]
    assert (dropout["regularizer"], dropout["verdict"]) == ("dropout", "no_measurable_effect")


def test_where_higher_is_better_the_sign_turns():
    accuracy = ablate(steady_group("full", FULL), [steady_group("l2", WITHOUT_L2)], "test/accuracy")["contributions"][0]

    assert accuracy["contribution"]["value"] == pytest.approx(-0.07)
    assert accuracy["contribution"]["low"] < -0.07 < accuracy["contribution"]["high"] < 0
    assert accuracy["verdict"] == "hurts"


def test_each_is_compared_with_the_full_one_alone(ablation):
    pair = compare([steady_group("l2", WITHOUT_L2), steady_group("full", FULL)], "test/loss")["differences"][0]

    l2 = ablation["contributions"][0]

    assert l2["p_value"] == pytest.approx(pair["p_value"])
    assert l2["p_value_corrected"] == pytest.approx(2 * pair["p_value"])
    assert l2["contribution"]["high"] == pytest.approx(-pair["difference"]["low"])
    assert (ablation["full"]["name"], ablation["full"]["num"], l2["without"]["num"]) == ("full", 4, 4)


def test_a_regularizer_whose_removal_fails_contributes_nothing_known():
    ablation = ablate(steady_group("full", FULL), [group_of("l2", [None] * 4)], "test/loss")

    contribution = ablation["contributions"][0]
    assert contribution["contribution"] == {"value": None, "low": None, "high": None}
    assert (contribution["verdict"], contribution["without"]["num_missing"]) == ("no_measurable_effect", 4)
    assert json.loads(json.dumps(ablation, allow_nan=False)) == ablation


def test_no_contribution_is_plain_zero():
    same = ablate(steady_group("full", FULL), [steady_group("l2", FULL)], "test/loss")["contributions"][0]

    assert json.dumps(same["contribution"]["value"]) == "0.0"


def test_splits_drawn_anew_widen_every_interval(ablation):
    full, without = group_of("full", FULL), group_of("l2", WITHOUT_L2)

    anew = ablate(full, [without], "test/loss", resplit_ratio=0.25, notes=["As told."])

    [l2] = anew["contributions"]
    for wide, plain in (
        (anew["full"], ablation["full"]),
        (l2["without"], ablation["contributions"][0]["without"]),
        (l2["contribution"], ablation["contributions"][0]["contribution"]),
    ):
        assert wide["high"] - wide["low"] == pytest.approx(2**0.5 * (plain["high"] - plain["low"]))
    assert l2["note"] == "As told."


def test_a_metric_without_direction_is_refused():
    with pytest.raises(SpecError, match="sparsity"):
        ablate(steady_group("full", FULL), [], "sparsity")


def test_only_the_one_that_can_help_is_said_to():
    """A known answer: of three, the first takes 0.2 off the loss; five seeds."""
    rng = np.random.default_rng(30)
    found = []
    for _ in range(60):
        hard = rng.exponential(size=300)
        groups = {
            name: noisy_group(
                name, rng, hard, num_members=5, seed_noise=0.02, row_noise=0.2, effect=0.2 if name == "l2" else 0.0
            )
            for name in ("full", "l2", "dropout", "l1")
        }
        ablation = ablate(groups.pop("full"), list(groups.values()), "test/loss")
        found.append([each["verdict"] for each in ablation["contributions"]])

    assert sum(verdicts == ["helps", "no_measurable_effect", "no_measurable_effect"] for verdicts in found) >= 54
