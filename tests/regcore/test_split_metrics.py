import numpy as np
import pytest
from sklearn import metrics

from regcore.intervals import NUM_RESAMPLES
from regcore.split_metrics import MAX_CONFUSED_CLASSES, SplitEvaluation, resampled_means

NUM_ROWS = 300


def classified(num_classes: int = 3, *, num_rows: int = NUM_ROWS, seed: int = 0, skew: float = 1.2) -> SplitEvaluation:
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=num_rows)
    logits = rng.normal(size=(num_rows, num_classes)) + skew * np.eye(num_classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    losses = -np.log(probabilities[np.arange(num_rows), labels])
    return SplitEvaluation(losses, probabilities.argmax(axis=1), labels, probabilities)


def valued(seed: int = 0) -> SplitEvaluation:
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=NUM_ROWS) * 7 + 1000
    predictions = targets + rng.normal(size=NUM_ROWS)
    return SplitEvaluation((predictions - targets) ** 2, predictions, targets)


def intervals_of(split: SplitEvaluation):
    return split.with_intervals(resampled_means(split.per_row_loss, 1), 1)


@pytest.mark.parametrize("make", [classified, valued], ids=["classification", "regression"])
def test_every_value_lies_inside_its_interval_which_half_of_other_draws_reach(make) -> None:
    found = intervals_of(make())

    inside = dict.fromkeys(found, 0)
    for seed in range(1, 41):
        for name, value in make(seed=seed).values().items():
            inside[name] += found[name]["low"] <= value <= found[name]["high"]

    for name, cell in found.items():
        assert cell["low"] < cell["value"] < cell["high"], name
        assert inside[name] >= 20, name


def test_metrics_of_values_are_scikit_learns() -> None:
    split = valued()

    values = split.values()

    assert values["r2"] == pytest.approx(metrics.r2_score(split.targets, split.predictions))
    assert values["mae"] == pytest.approx(metrics.mean_absolute_error(split.targets, split.predictions))
    assert values["rmse"] == pytest.approx(metrics.root_mean_squared_error(split.targets, split.predictions))


def test_where_every_row_is_right_the_interval_still_has_a_width() -> None:
    cells = intervals_of(classified(skew=60.0))

    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "average_precision"):
        assert cells[name]["value"] == cells[name]["high"] == 1
        assert 0.95 < cells[name]["low"] < 1


def test_a_rare_class_makes_intervals_of_means_over_classes_wide() -> None:
    split = classified(2, skew=60.0)
    rare = np.flatnonzero((split.targets == 0) | (np.cumsum(split.targets) <= 3))
    part = SplitEvaluation(*(column[rare] for column in vars(split).values()))

    cells = intervals_of(part)

    assert cells["balanced_accuracy"]["low"] < cells["accuracy"]["low"] - 0.1


def test_the_confusion_counts_true_by_predicted() -> None:
    split = classified()

    by_class = split.by_class(["a", "b", "c"])

    expected = metrics.confusion_matrix(split.targets, split.predictions)
    assert by_class["confusion_matrix"] == {"labels": ["a", "b", "c"], "counts": expected.tolist()}
    assert [row["support"] for row in by_class["classes"]] == expected.sum(axis=1).tolist()


def test_of_very_many_classes_only_the_table_is_given() -> None:
    labels = [str(k) for k in range(MAX_CONFUSED_CLASSES + 1)]

    by_class = classified(len(labels)).by_class(labels)

    assert by_class["confusion_matrix"] is None
    assert len(by_class["classes"]) == len(labels)


def test_rows_of_values_have_the_metric_as_their_mean() -> None:
    split = valued()

    rows = split.value_rows()

    assert {name: own.mean() for name, own in rows.items()} == pytest.approx(
        {name: split.values()[name] for name in ("mae", "rmse")}
    )


def test_a_bootstrap_mean_is_one_number_for_each_resample() -> None:
    assert resampled_means(np.arange(5), 0).shape == (NUM_RESAMPLES,)
