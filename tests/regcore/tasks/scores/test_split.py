import numpy as np
import pytest

from regcore.intervals import NUM_RESAMPLES
from regcore.tasks.scores.classification import ClassEvaluation
from regcore.tasks.scores.reconstruction import ReconstructionEvaluation
from regcore.tasks.scores.regression import NumberEvaluation
from regcore.tasks.scores.split import SplitEvaluation, resampled_means

NUM_ROWS = 300


def classified(rng: np.random.Generator) -> SplitEvaluation:
    labels = rng.integers(3, size=NUM_ROWS)
    logits = rng.normal(size=(NUM_ROWS, 3)) + 1.2 * np.eye(3)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    losses = -np.log(probabilities[np.arange(NUM_ROWS), labels])
    return ClassEvaluation(losses, probabilities.argmax(axis=1), labels, probabilities)


def valued(rng: np.random.Generator) -> SplitEvaluation:
    targets = rng.normal(size=NUM_ROWS) * 7 + 1000
    predictions = targets + rng.normal(size=NUM_ROWS)
    return NumberEvaluation((predictions - targets) ** 2, predictions, targets)


def reconstructed(rng: np.random.Generator) -> SplitEvaluation:
    errors = rng.gamma(2, size=NUM_ROWS)
    return ReconstructionEvaluation(errors * rng.uniform(0.5, 1, size=NUM_ROWS), errors)


def of_loss_alone(rng: np.random.Generator) -> SplitEvaluation:
    return SplitEvaluation(rng.gamma(2, size=NUM_ROWS))


SPLITS = [classified, valued, reconstructed, of_loss_alone]


@pytest.mark.parametrize("make", SPLITS)
def test_every_value_lies_inside_its_interval_which_half_of_other_draws_reach(make) -> None:
    split = make(np.random.default_rng(0))
    found = split.with_intervals(resampled_means(split.per_row_loss, 1), 1)

    inside = dict.fromkeys(found, 0)
    for seed in range(1, 41):
        for name, value in make(np.random.default_rng(seed)).values().items():
            inside[name] += found[name]["low"] <= value <= found[name]["high"]

    assert list(found) == list(split.values())
    for name, cell in found.items():
        assert cell["low"] < cell["value"] < cell["high"], name
        assert inside[name] >= 20, name


@pytest.mark.parametrize("make", SPLITS)
def test_rows_have_the_metric_as_their_mean(make) -> None:
    split = make(np.random.default_rng(0))

    means = {name: rows.mean() for name, rows in split.rows().items()}

    assert means == pytest.approx(split.values())


def test_a_bootstrap_mean_is_one_number_for_each_resample() -> None:
    assert resampled_means(np.arange(5), 0).shape == (NUM_RESAMPLES,)
