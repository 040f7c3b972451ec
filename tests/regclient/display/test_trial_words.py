from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from regclient.display.trial_words import effect_of, label_of, settings_text, trial_sentences
from regclient.display.variant_outcomes import NO_BETTER_THAN_CONSTANT, Score, Trial, VariantOutcome


def test_what_helps_comes_first_and_then_the_best_with_its_figures_beside_the_baseline(trial: Trial) -> None:
    said = trial_sentences(trial, "classification", "churn")

    assert said[:3] == [
        "Measurably better than the network alone: dropout.",
        "Measurably worse than the network alone: L2.",
        "No measurable effect here: L1.",
    ]
    assert said[3].startswith("Best on the validation rows: dropout (p 0.35), with a test loss of 0.4 [0.3, 0.5]")
    assert "Accuracy 0.8 [0.7, 0.9] (always the largest class: 0.6)." in said[3]
    assert said[4] == "The network is measurably better than a linear model with tuned L2, which is simpler."


def test_where_nothing_beats_the_constant_that_is_said_first(
    outcome_of: Callable[..., VariantOutcome],
) -> None:
    l2 = outcome_of("l2", 0.7, -0.2, "no_measurable_effect", beats_constant=False, note=NO_BETTER_THAN_CONSTANT)
    constant = outcome_of("constant", 0.69, -0.2, "no_measurable_effect")

    said = trial_sentences(Trial("test/loss", [l2, constant]), "classification", "y")

    assert said[0].startswith("Nothing here predicts y measurably better than the shares of the classes")
    assert said[1] == "No regularizer helps measurably here."
    assert said[2] == f"L2: {NO_BETTER_THAN_CONSTANT}."
    assert not any("helps measurably" in one for one in said if not one.startswith("No "))


def test_an_interval_that_leaves_zero_out_without_a_verdict_is_undecided(
    outcome_of: Callable[..., VariantOutcome],
) -> None:
    l1 = outcome_of("l1", 0.4, -0.2, "no_measurable_effect")

    said = trial_sentences(Trial("test/loss", [l1]), "regression", "price")

    assert any(one.startswith("Undecided: L1.") for one in said)
    assert effect_of(l1) == "undecided"
    assert not any("Undecided" in one for one in trial_sentences(_with(l1, beats_constant=False), "regression", "y"))


@pytest.mark.parametrize(("low", "is_told"), [(0.45, False), (0.55, True)])
def test_better_probabilities_without_better_answers_are_called_that(
    outcome_of: Callable[..., VariantOutcome], low: float, is_told: bool
) -> None:
    linear = outcome_of("linear", 0.13, -0.1, "helps", scores={"balanced_accuracy": Score(0.6, low, 0.7)})
    constant = outcome_of("constant", 0.2, 0.0, "hurts", scores={"balanced_accuracy": Score(0.5, 0.5, 0.5)})

    said = " ".join(trial_sentences(Trial("test/loss", [linear, constant]), "classification", "fraud"))

    assert ("not measurably above 0.5" not in said) is is_told


def test_if_all_others_hurt_it_is_said_first_that_none_helps(outcome_of: Callable[..., VariantOutcome]) -> None:
    said = trial_sentences(_with(outcome_of("l2", 0.7, 0.2, "hurts")), "regression", "y")

    assert said[:2] == [
        "No regularizer helps measurably here.",
        "Measurably worse than the network alone: L2.",
    ]


def test_without_a_regularizer_nothing_is_said_of_any(outcome_of: Callable[..., VariantOutcome]) -> None:
    said = trial_sentences(_with(outcome_of("linear", 0.7, 0.2, "no_measurable_effect")), "regression", "y")

    assert not any("regularizer" in one for one in said)


def test_few_seeds_are_mentioned(trial: Trial) -> None:
    few = Trial(trial.metric, [replace(one, num_seeds=3) for one in trial.outcomes])

    assert trial_sentences(few, "classification", "y")[-1].startswith("With 3 seeds only large effects show")


def test_a_linear_winner_is_called_enough(outcome_of: Callable[..., VariantOutcome]) -> None:
    linear = outcome_of("linear", 0.4, -0.2, "helps")

    assert any("linear model is enough" in one for one in trial_sentences(_with(linear), "regression", "y"))


def test_without_any_result_there_is_no_verdict() -> None:
    assert "no verdict" in trial_sentences(Trial("test/loss", []), "regression", "y")[0]


def test_unknown_figures_are_dashes(outcome_of: Callable[..., VariantOutcome]) -> None:
    l1 = outcome_of("l1", 0.4, -0.2, "helps", scores={})

    said = trial_sentences(_with(replace(l1, loss=Score())), "regression", "y")

    assert any("test loss of –" in one for one in said)


def test_labels_and_settings_are_in_words() -> None:
    assert label_of("constant", "regression") == "the mean"
    assert label_of("weight_decay", "regression") == "weight decay"
    assert settings_text({"/regularizers/0/strength": 0.01, "/regularizers/1/p": 0.5}) == "strength 0.01, p 0.5"


def _with(verdict: VariantOutcome, **fields: Any) -> Trial:
    return Trial("test/loss", [replace(verdict, **fields)])
