import numpy as np
import pytest
import torch
from sklearn import metrics

from regcore.tasks.scores.classification import (
    MAX_CONFUSED_CLASSES,
    MAX_LISTED_CLASSES,
    ClassEvaluation,
    described_classes,
)
from regcore.tasks.scores.confusion import NUM_PAIRS
from regcore.tasks.scores.split import resampled_means

NUM_ROWS = 300


def classified(num_classes: int = 3, *, seed: int = 0, skew: float = 1.2) -> ClassEvaluation:
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=NUM_ROWS)
    logits = rng.normal(size=(NUM_ROWS, num_classes)) + skew * np.eye(num_classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    losses = -np.log(probabilities[np.arange(NUM_ROWS), labels])
    return ClassEvaluation(losses, probabilities.argmax(axis=1), labels, probabilities)


def intervals_of(split: ClassEvaluation):
    return split.with_intervals(resampled_means(split.per_row_loss, 1), 1)


def test_where_every_row_is_right_the_interval_still_has_a_width() -> None:
    cells = intervals_of(classified(skew=60.0))

    for name in ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "average_precision"):
        assert cells[name]["value"] == cells[name]["high"] == 1
        assert 0.95 < cells[name]["low"] < 1


def test_a_rare_class_makes_intervals_of_means_over_classes_wide() -> None:
    split = classified(2, skew=60.0)
    rare = np.flatnonzero((split.targets == 0) | (np.cumsum(split.targets) <= 3))
    columns = (split.per_row_loss, split.predictions, split.targets, split.probabilities)
    part = ClassEvaluation(*(column[rare] for column in columns))

    cells = intervals_of(part)

    assert cells["balanced_accuracy"]["low"] < cells["accuracy"]["low"] - 0.1


def test_the_confusion_counts_true_by_predicted() -> None:
    split = classified()

    described = described_classes({"test": split}, ["a", "b", "c"])

    expected = metrics.confusion_matrix(split.targets, split.predictions)
    assert described["confusion_matrix"] == {"test": {"labels": ["a", "b", "c"], "counts": expected.tolist()}}
    assert [row["support"] for row in described["classes"]["test"]] == expected.sum(axis=1).tolist()
    assert described["num_classes_left_out"] == 0


def test_of_many_classes_the_table_is_given_without_all_pairs() -> None:
    labels = [str(k) for k in range(MAX_CONFUSED_CLASSES + 1)]

    described = described_classes({"test": classified(len(labels))}, labels)

    assert described["confusion_matrix"] == {"test": None}
    assert len(described["most_confused"]["test"]) == NUM_PAIRS
    assert [row["label"] for row in described["classes"]["test"]] == labels


def test_of_very_many_classes_the_largest_are_listed_in_their_order() -> None:
    labels = [str(k) for k in range(MAX_LISTED_CLASSES + 7)]
    targets = np.concatenate([np.arange(7, len(labels)), [0, 0]])  # 1 to 6 have no rows, and 0 has two
    split = ClassEvaluation(np.ones(len(targets)), targets, targets, np.ones((len(targets), 1)))

    described = described_classes({"test": split}, labels)

    listed = [row["label"] for row in described["classes"]["test"]]
    assert listed == ["0", *labels[7:-1]]
    assert described["num_classes_left_out"] == 7


def test_a_row_is_told_by_its_labels() -> None:
    split = classified()

    told = split.answer(4, ["a", "b", "c"])

    assert told == {"target": "abc"[split.targets[4]], "prediction": "abc"[split.predictions[4]]}
    assert split.answer(4, None) == {"target": split.targets[4], "prediction": split.predictions[4]}


def test_rows_of_accuracy_take_a_bit_each() -> None:
    rows = classified().rows()

    assert rows["accuracy"].dtype == np.bool_
    assert list(rows)[:2] == ["loss", "accuracy"]


@pytest.mark.parametrize("seed", range(3))
def test_calibration_error_equals_torchmetrics(seed: int) -> None:
    from torchmetrics.functional.classification import multiclass_calibration_error

    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.3] * 4, 500)
    targets = rng.integers(0, 4, 500)
    expected = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(targets), 4, n_bins=15)
    split = ClassEvaluation(rng.random(500), probabilities.argmax(1), targets, probabilities)

    described = described_classes({"train": split}, list("abcd"))

    assert described["calibration"] == {"split": "train", "ece": pytest.approx(float(expected), abs=1e-6)}


def test_calibration_is_of_the_split_that_training_used_least() -> None:
    splits = {name: classified(seed=seed) for seed, name in enumerate(("train", "validation", "test"))}

    assert described_classes(splits, list("abc"))["calibration"]["split"] == "test"
    assert described_classes({"train": splits["train"]}, list("abc"))["calibration"]["split"] == "train"


def test_two_classes_have_a_positive_one_and_three_have_none() -> None:
    assert described_classes({"test": classified(2)}, ["no", "yes"])["positive_class"] == "yes"
    assert described_classes({"test": classified(3)}, list("abc"))["positive_class"] is None


def test_probabilities_that_are_not_finite_have_no_calibration_error() -> None:
    split = classified()
    split.probabilities[3] = np.nan

    assert described_classes({"test": split}, list("abc"))["calibration"] == {"split": "test", "ece": None}
