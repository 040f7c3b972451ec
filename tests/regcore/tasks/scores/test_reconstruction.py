import numpy as np
import pytest

from regcore.tasks.scores.reconstruction import ReconstructionEvaluation
from regcore.tasks.scores.split import resampled_means

ERRORS = np.random.default_rng(0).gamma(2, size=200)


def intervals_of(split: ReconstructionEvaluation):
    return split.with_intervals(resampled_means(split.per_row_loss, 1), 2)


def test_the_error_is_the_mean_of_the_rows_errors() -> None:
    split = ReconstructionEvaluation(ERRORS / 2, ERRORS)

    assert split.values() == pytest.approx({"loss": ERRORS.mean() / 2, "reconstruction_error": ERRORS.mean()})
    assert split.rows()["reconstruction_error"] is not split.rows()["loss"]


def test_an_error_that_is_the_loss_has_its_interval_and_another_has_its_own() -> None:
    same, other = (intervals_of(ReconstructionEvaluation(losses, ERRORS)) for losses in (ERRORS, ERRORS**2))

    assert same["reconstruction_error"] == same["loss"]
    cell = other["reconstruction_error"]
    assert cell["low"] < cell["value"] < cell["high"] < other["loss"]["low"]
