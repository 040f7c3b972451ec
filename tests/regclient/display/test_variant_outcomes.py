from typing import Any

import pytest

from regclient.display.variant_outcomes import NO_BETTER_THAN_CONSTANT, Score, Trial, judge_variants

Json = dict[str, Any]


def comparison(baseline: str, losses: dict[str, float], verdicts: dict[str, str]) -> Json:
    """The server's comparison of variants with one of them."""
    return {
        "metric": "test/loss",
        "mode": "min",
        "groups": [
            {"name": name, "mean": loss, "low": loss - 0.1, "high": loss + 0.1, "num": 5, "values": {"/x": 1.0}}
            for name, loss in losses.items()
        ],
        "differences": [
            {
                "group": name,
                "baseline": baseline,
                "difference": {"value": loss - losses[baseline], "low": -0.9, "high": 0.9},
                "p_value_corrected": 0.04,
                "verdict": verdicts.get(name, "no_measurable_effect"),
                "note": None,
            }
            for name, loss in losses.items()
            if name != baseline
        ],
    }


LOSSES = {"l2": 0.4, "linear": 0.5, "dropout": 0.6, "nothing": 0.7, "constant": 1.0}
BETTER = {"l2": "helps", "linear": "helps", "dropout": "helps", "nothing": "helps"}


def trial_of(against_nothing: dict[str, str], against_constant: dict[str, str], **more: Any) -> Trial:
    return judge_variants(
        list(LOSSES),
        comparison("nothing", LOSSES, against_nothing),
        comparison("constant", LOSSES, against_constant),
        **more,
    )


def test_what_is_better_than_the_network_alone_and_than_the_constant_helps() -> None:
    trial = trial_of({"l2": "helps", "dropout": "hurts"}, BETTER)

    assert {one.name: one.verdict for one in trial.outcomes if one.role == "regularizer"} == {
        "l2": "helps",
        "dropout": "hurts",
    }
    assert trial.beats_constant
    assert trial.winner == trial.of("l2")


def test_what_only_unlearns_a_useless_network_does_not_help() -> None:
    trial = trial_of(dict.fromkeys(LOSSES, "helps"), {})

    verdicts = {one.name: one.verdict for one in trial.outcomes}
    assert {verdicts["l2"], verdicts["dropout"]} == {"no_measurable_effect"}
    assert {verdicts["linear"], verdicts["constant"]} == {"helps"}  # a baseline is only compared
    assert trial.of("l2").note == NO_BETTER_THAN_CONSTANT  # type: ignore[union-attr] # it was judged
    assert not trial.beats_constant


def by_rows(p_values: dict[str, float]) -> Json:
    """The server's comparison of one seed's jobs, all of them with a loss 0.5 below the constant's."""
    differences = [
        {"group": name, "baseline": "constant", "difference": {"value": -0.5}, "p_value": p_value}
        for name, p_value in p_values.items()
    ]
    among_others = {"group": "l2", "baseline": "nothing", "difference": {"value": -0.1}, "p_value": 1e-9}
    return {"differences": [*differences, among_others]}


def test_with_few_seeds_the_test_rows_of_one_show_that_something_was_learned() -> None:
    rows = [by_rows({"l2": 1e-6, "nothing": 1e-6, "dropout": 0.01}), by_rows({"l2": 0.9, "nothing": 0.9})]

    trial = trial_of({}, {}, rows_against_constant=rows)

    # 0.01 as one of five tests is 0.05.
    assert {one.name for one in trial.outcomes if one.beats_constant} == {"l2", "nothing"}
    assert trial.of("constant").verdict == "hurts"  # type: ignore[union-attr] # it was judged


def test_rows_on_which_it_is_worse_or_that_are_unknown_show_nothing() -> None:
    comparison_of_seed = by_rows({"l2": 1e-6, "nothing": 1e-6})
    comparison_of_seed["differences"][0]["difference"] = {"value": 0.5}
    comparison_of_seed["differences"][1] |= {"difference": {"value": None}, "p_value": None}

    assert not trial_of({}, {}, rows_against_constant=[comparison_of_seed]).beats_constant


@pytest.mark.parametrize(
    ("metric", "low", "high"), [("accuracy", 0.95, 1.0), ("balanced_accuracy", 0.95, 1.0), ("mae", 0.0, 1.02)]
)
def test_an_interval_ends_where_the_metric_does(metric: str, low: float, high: float) -> None:
    group = {"name": "nothing", "mean": 0.98, "low": low if metric != "mae" else -0.2, "high": 1.02}

    trial = judge_variants(["nothing"], comparison("nothing", LOSSES, {}), None, scores={metric: {"groups": [group]}})

    assert trial.outcomes[0].scores[metric] == Score(0.98, low, high)


def test_the_constant_is_never_the_winner() -> None:
    order = ["constant", "nothing"]

    trial = judge_variants(order, comparison("nothing", LOSSES, {}), comparison("constant", LOSSES, {}))

    assert trial.winner == trial.of("nothing")
    assert [one.role for one in trial.outcomes] == ["baseline", "reference"]


@pytest.mark.parametrize("verdict", ["helps", "hurts", "no_measurable_effect"])
def test_the_winner_is_compared_with_the_linear_model(verdict: str) -> None:
    trial = trial_of({}, BETTER, against_linear=comparison("linear", LOSSES, {"l2": verdict}))

    assert trial.against_linear == verdict


def test_other_scores_stand_beside_the_loss() -> None:
    accuracy = comparison("nothing", {name: 1 - loss / 2 for name, loss in LOSSES.items()}, {})

    trial = trial_of({}, BETTER, scores={"accuracy": accuracy})

    assert [one.scores["accuracy"].mean for one in trial.outcomes] == [0.8, 0.75, 0.7, 0.65, 0.5]


def test_a_sweep_that_was_cut_short_is_judged_by_what_there_is() -> None:
    trial = judge_variants(["l2", "nothing"], comparison("nothing", LOSSES, {"l2": "helps"}), None)

    assert [one.verdict for one in trial.outcomes] == ["helps", "no_measurable_effect"]
    assert trial.of("dropout") is None
