from typing import Any

import pytest

from regclient.display.variant_verdicts import NO_BETTER_THAN_CONSTANT, Trial, judge_variants

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

    assert {one.name: one.verdict for one in trial.verdicts if one.role == "regularizer"} == {
        "l2": "helps",
        "dropout": "hurts",
    }
    assert trial.beats_constant
    assert trial.winner == trial.of("l2")


def test_what_only_unlearns_a_useless_network_does_not_help() -> None:
    trial = trial_of(dict.fromkeys(LOSSES, "helps"), {})

    assert {one.verdict for one in trial.verdicts} == {"no_measurable_effect"}
    assert trial.of("l2").note == NO_BETTER_THAN_CONSTANT  # type: ignore[union-attr] # it was judged
    assert not trial.beats_constant


def test_the_constant_is_never_the_winner() -> None:
    order = ["constant", "nothing"]

    trial = judge_variants(order, comparison("nothing", LOSSES, {}), comparison("constant", LOSSES, {}))

    assert trial.winner == trial.of("nothing")
    assert [one.role for one in trial.verdicts] == ["baseline", "reference"]


@pytest.mark.parametrize("verdict", ["helps", "hurts", "no_measurable_effect"])
def test_the_winner_is_compared_with_the_linear_model(verdict: str) -> None:
    trial = trial_of({}, BETTER, against_linear=comparison("linear", LOSSES, {"l2": verdict}))

    assert trial.against_linear == verdict


def test_other_scores_stand_beside_the_loss() -> None:
    accuracy = comparison("nothing", {name: 1 - loss / 2 for name, loss in LOSSES.items()}, {})

    trial = trial_of({}, BETTER, scores={"accuracy": accuracy})

    assert [one.scores["accuracy"].mean for one in trial.verdicts] == [0.8, 0.75, 0.7, 0.65, 0.5]


def test_a_sweep_that_was_cut_short_is_judged_by_what_there_is() -> None:
    trial = judge_variants(["l2", "nothing"], comparison("nothing", LOSSES, {"l2": "helps"}), None)

    assert [one.verdict for one in trial.verdicts] == ["helps", "no_measurable_effect"]
    assert trial.of("dropout") is None
