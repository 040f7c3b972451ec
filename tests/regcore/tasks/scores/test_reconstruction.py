import numpy as np
import pytest

from regcore.tasks.scores.reconstruction import QUANTILES, ReconstructionEvaluation, described_errors
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


def described(*errors: np.ndarray):
    names = ("train", "validation", "test")
    return described_errors(
        {name: ReconstructionEvaluation(own, own) for name, own in zip(names, errors, strict=False)}
    )


def test_the_spread_of_errors_is_told_by_quantiles() -> None:
    quantiles = described(ERRORS)["splits"]["train"]["quantiles"]

    assert quantiles["p50"] == np.median(ERRORS)
    assert list(quantiles.values()) == pytest.approx(np.percentile(ERRORS, [0, 1, 5, 25, 50, 75, 95, 99, 100]))


def test_splits_share_bins_which_hold_every_row_and_are_not_stretched_by_an_outlier() -> None:
    test = np.append(ERRORS, 1e6)

    found = described(ERRORS, ERRORS[:50], test)

    edges = found["bin_edges"]
    assert edges == sorted(edges)
    assert edges[-1] == 1e6
    assert edges[-2] < 12
    for name, own in {"train": ERRORS, "validation": ERRORS[:50], "test": test}.items():
        assert sum(found["splits"][name]["counts"]) == len(own)
    assert found["splits"]["test"]["counts"][-1] == found["splits"]["train"]["counts"][-1] + 1


def test_errors_that_are_all_the_same_are_in_one_bin() -> None:
    found = described(np.zeros(7))

    assert (found["bin_edges"], found["splits"]["train"]["counts"]) == ([0, 1], [7])


def test_an_error_that_is_not_finite_is_in_no_bin() -> None:
    some, none = described(np.append(ERRORS, np.inf)), described(np.full(3, np.nan))

    assert sum(some["splits"]["train"]["counts"]) == len(ERRORS)
    assert none == {"bin_edges": [], "splits": {"train": {"quantiles": None, "counts": []}}}
    assert QUANTILES.keys() == some["splits"]["train"]["quantiles"].keys()
