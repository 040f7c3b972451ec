import numpy as np
import pytest

from regcore.study.statistics import Resplits

DRAWN = Resplits(num_train=60, num_validation=20, num_test=20, draws_test=True)
OFFICIAL = Resplits(num_train=80, num_validation=20, num_test=1000, draws_test=False)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_rows_that_nothing_was_trained_on_have_nadeau_and_bengios_ratio(split):
    ratio = Resplits(60, 15, 30, draws_test=True).ratio(f"{split}/loss")

    assert ratio == {"validation": 0.25, "test": 0.5}[split]


def test_what_the_train_rows_decide_has_the_ratio_of_their_overlap():
    for name in ("train/accuracy", "generalization_gap", "sparsity", "l1"):
        assert DRAWN.ratio(name) == 60 / 40


def test_official_test_rows_are_not_drawn_anew():
    assert OFFICIAL.ratio("test/loss") is None
    assert OFFICIAL.ratio("generalization_gap") is None
    assert OFFICIAL.ratio("validation/loss") == 0.25
    assert OFFICIAL.ratio("train/loss") == 4


def test_without_other_rows_every_seed_trains_on_the_same():
    assert Resplits(100, 0, 0, draws_test=True).ratio("train/loss") is None


@pytest.mark.parametrize("name", ["train/loss", "validation/loss", "test/loss"])
def test_the_variance_of_a_mean_over_resplits_is_not_understated(name):
    """Rows drawn anew each time, as a user's data set was, and split three ways by each of four seeds."""
    rng = np.random.default_rng(7)
    places = {"train/loss": slice(0, 60), "validation/loss": slice(60, 80), "test/loss": slice(80, 100)}
    means, variances = [], []
    for _ in range(3000):
        rows = rng.normal(size=100)
        values = [rng.permutation(rows)[places[name]].mean() for _ in range(4)]
        means.append(np.mean(values))
        variances.append(np.var(values, ddof=1) * (1 / 4 + DRAWN.ratio(name)))

    assert np.mean(variances) >= 0.95 * np.var(means)
    assert np.mean(variances) <= 1.5 * np.var(means)
