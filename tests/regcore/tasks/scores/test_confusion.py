import numpy as np
import pytest
from scipy.stats import beta
from sklearn import metrics

from regcore.tasks.scores.confusion import NUM_PAIRS, Confusion

LABELS = ["low", "middle", "high", "never"]


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = rng.integers(3, size=240)
    return targets, np.where(rng.random(240) < 0.7, targets, rng.integers(3, size=240))


def test_every_pair_is_counted_as_by_scikit_learn(drawn) -> None:
    assert Confusion.of(*drawn, 4).matrix() == metrics.confusion_matrix(*drawn, labels=range(4)).tolist()


def test_the_table_per_class_is_scikit_learns(drawn) -> None:
    table = Confusion.of(*drawn, 4).table(LABELS, range(3))

    expected = metrics.precision_recall_fscore_support(*drawn)
    for k, row in enumerate(table):
        assert [row["precision"], row["recall"], row["f1"], row["support"]] == pytest.approx(
            [column[k] for column in expected]
        )
        assert row["num_predicted"] == (drawn[1] == k).sum()
    assert [row["label"] for row in table] == LABELS[:3]


def test_errors_are_shared_out_among_the_true_classes(drawn) -> None:
    targets, predictions = drawn

    table = Confusion.of(*drawn, 4).table(LABELS, range(4))

    is_wrong = targets != predictions
    assert [row["error_share"] for row in table] == pytest.approx(
        [(is_wrong & (targets == k)).sum() / is_wrong.sum() for k in range(4)]
    )


def test_a_class_is_told_what_it_is_taken_for_the_most(drawn) -> None:
    table = Confusion.of(*drawn, 4).table(LABELS, range(4))

    for k, row in enumerate(table[:3]):
        counts = metrics.confusion_matrix(*drawn)[k]
        counts[k] = 0
        assert row["confused_with"] == {"label": LABELS[counts.argmax()], "num_rows": counts.max()}
    assert table[3]["confused_with"] is None


@pytest.mark.parametrize(("part", "of"), [("recall", "support"), ("precision", "num_predicted")])
def test_intervals_of_shares_are_near_the_exact_ones(drawn, part: str, of: str) -> None:
    for row in Confusion.of(*drawn, 4).table(LABELS, range(3)):
        num_rows, hits = row[of], round(row[part] * row[of])
        exact = beta.ppf(0.025, hits, num_rows - hits + 1), beta.ppf(0.975, hits + 1, num_rows - hits)
        assert list(row["intervals"][part].values()) == pytest.approx(exact, abs=0.02)


def test_the_interval_of_f1_is_about_that_of_resampled_rows(drawn) -> None:
    rng, (targets, predictions) = np.random.default_rng(1), drawn
    resampled = []
    for _ in range(400):
        rows = rng.integers(240, size=240)
        resampled.append(metrics.f1_score(targets[rows], predictions[rows], average=None))

    table = Confusion.of(*drawn, 4).table(LABELS, range(3))

    ends = [list(row["intervals"]["f1"].values()) for row in table]
    np.testing.assert_allclose(ends, np.percentile(resampled, [2.5, 97.5], axis=0).T, atol=0.03)


def test_what_cannot_be_divided_is_none() -> None:
    never_predicted, never_seen = Confusion.of(np.array([1, 1]), np.array([0, 0]), 3).table("abc", [1, 2])

    assert (never_predicted["precision"], never_predicted["recall"], never_predicted["f1"]) == (None, 0.0, 0.0)
    assert never_predicted["intervals"]["precision"] is None
    assert (never_seen["recall"], never_seen["f1"], never_seen["intervals"]["f1"]) == (None, None, None)


def test_without_errors_nothing_is_shared_out() -> None:
    (row,) = Confusion.of(np.zeros(3), np.zeros(3), 2).table("ab", [0])

    assert (row["error_share"], row["confused_with"], row["f1"]) == (None, None, 1.0)
    assert row["intervals"]["f1"]["high"] == 1.0 > row["intervals"]["f1"]["low"]


def test_pairs_come_by_their_rows_and_equal_ones_in_the_classes_order() -> None:
    targets = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    predictions = np.array([0, 1, 2, 0, 0, 1, 2, 2, 0])

    pairs = Confusion.of(targets, predictions, 3).most_confused("abc")

    assert [(pair["label"], pair["predicted"], pair["num_rows"]) for pair in pairs] == [
        ("b", "a", 2), ("a", "b", 1), ("a", "c", 1), ("c", "a", 1),
    ]  # fmt: skip
    assert pairs[0]["share"] == 2 / 3


def test_a_hundred_thousand_classes_take_no_room_for_pairs_that_do_not_occur() -> None:
    targets = np.arange(100_000)

    counted = Confusion.of(targets, np.roll(targets, 1), 100_000)

    assert len(counted.counts) == 100_000
    assert len(counted.most_confused([str(k) for k in targets])) == NUM_PAIRS
