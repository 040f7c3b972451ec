import numpy as np
import pytest
from sklearn import metrics

from regcore.tasks import Classification
from regcore.tasks.scores.classes import classification_scores, num_likelier

NUM_ROWS = 240
NAMES = Classification.metrics_with()[1:]


def draw(num_classes: int, *, ties: bool = False, seed: int = 0, num_rows: int = NUM_ROWS):
    rng = np.random.default_rng(seed)
    labels = rng.integers(num_classes, size=num_rows)
    logits = rng.normal(size=(num_rows, num_classes)) + 1.2 * np.eye(num_classes)[labels]
    if ties:
        logits = np.round(logits)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities.argmax(axis=1), probabilities


def by_sklearn(labels, predictions, probabilities):
    num_classes = probabilities.shape[1]
    named = {"labels": np.arange(num_classes)}
    binary = num_classes == 2
    one_hot = np.eye(num_classes)[labels]
    return {
        "accuracy": metrics.accuracy_score(labels, predictions),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predictions),
        "macro_f1": metrics.f1_score(labels, predictions, average="macro"),
        "auroc": metrics.roc_auc_score(labels, probabilities[:, 1])
        if binary
        else metrics.roc_auc_score(labels, probabilities, multi_class="ovr", **named),
        "average_precision": metrics.average_precision_score(labels, probabilities[:, 1])
        if binary
        else metrics.average_precision_score(one_hot, probabilities, average="macro"),
        "log_loss": metrics.log_loss(labels, probabilities, **named),
        "top5_accuracy": 1.0 if num_classes < 6 else metrics.top_k_accuracy_score(labels, probabilities, k=5, **named),
    }


@pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
@pytest.mark.parametrize("num_classes", [2, 3, 8])
def test_scores_are_scikit_learns(num_classes: int, ties: bool) -> None:
    drawn = draw(num_classes, ties=ties)
    names = [name for name in NAMES if not (ties and name == "top5_accuracy")]  # where it takes any of equal ones

    found = classification_scores(*drawn, names)

    expected = by_sklearn(*drawn)
    assert {name: score.value for name, score in found.items()} == pytest.approx({n: expected[n] for n in names})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("num_classes", [2, 7])
def test_rows_have_the_metric_as_their_mean_and_its_noise_as_their_spread(num_classes: int, name: str) -> None:
    score = classification_scores(*draw(num_classes), [name])[name]

    drawn, resampled = draw(num_classes), []
    rng = np.random.default_rng(1)
    for _ in range(150):
        rows = rng.integers(NUM_ROWS, size=NUM_ROWS)
        resample = [part[rows] for part in drawn]
        resampled.append(classification_scores(*resample, [name])[name].value)

    assert score.rows.mean() == pytest.approx(score.value)
    assert score.rows.std() / np.sqrt(NUM_ROWS) == pytest.approx(np.std(resampled), rel=0.25)


def test_classes_without_rows_are_left_out() -> None:
    labels, predictions, probabilities = draw(3)
    kept = labels != 2

    found = classification_scores(labels[kept], predictions[kept], probabilities[kept], NAMES)

    assert found["balanced_accuracy"].value == pytest.approx(
        metrics.recall_score(labels[kept], predictions[kept], labels=[0, 1], average="macro")
    )
    assert found["auroc"].value == pytest.approx(
        np.mean([metrics.roc_auc_score(labels[kept] == k, probabilities[kept, k]) for k in (0, 1)])
    )
    assert found["average_precision"].value == pytest.approx(
        np.mean([metrics.average_precision_score(labels[kept] == k, probabilities[kept, k]) for k in (0, 1)])
    )


@pytest.mark.parametrize("only", [0, 1])
def test_a_split_of_one_class_has_no_auroc(only: int) -> None:
    labels, predictions, probabilities = draw(2)
    kept = labels == only

    found = classification_scores(labels[kept], predictions[kept], probabilities[kept], NAMES)

    assert np.isnan(found["auroc"].value)
    assert np.isnan(found["auroc"].rows).all()
    assert np.isnan(found["average_precision"].value) == (only == 0)
    assert found["balanced_accuracy"].value == metrics.accuracy_score(labels[kept], predictions[kept])


def test_probabilities_that_are_not_finite_have_no_ranking() -> None:
    labels, predictions, probabilities = draw(2)
    probabilities[3] = np.nan

    found = classification_scores(labels, predictions, probabilities, ["auroc", "average_precision"])

    assert all(np.isnan(score.value) for score in found.values())


def test_of_equally_likely_classes_the_first_five_count() -> None:
    probabilities = np.full((8, 8), 1 / 8)

    found = classification_scores(np.arange(8), np.zeros(8, np.int64), probabilities, ["top5_accuracy"])

    assert found["top5_accuracy"].value == 5 / 8


@pytest.mark.parametrize("num_classes", [6, 30])
def test_the_five_likeliest_are_scikit_learns_by_logits_that_no_probability_tells_apart(num_classes: int) -> None:
    """Of a very sure network: beside the largest logit all probabilities are 0."""
    rng = np.random.default_rng(num_classes)
    labels, logits = rng.integers(num_classes, size=NUM_ROWS), 1e5 * rng.normal(size=(NUM_ROWS, num_classes))

    found = num_likelier(labels, logits) < 5

    expected = metrics.top_k_accuracy_score(labels, logits, k=5, labels=np.arange(num_classes))
    assert found.mean() == expected


def test_a_class_whose_output_is_nan_is_not_among_the_likeliest() -> None:
    outputs = np.array([np.full(7, np.nan), [np.nan, 0, 0, 0, 0, 0, 1]])

    assert num_likelier(np.array([0, 6]), outputs).tolist() == [7, 1]
