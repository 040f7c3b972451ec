import numpy as np

from regcore.tasks.scores.score import Score


def test_a_plain_mean_has_its_rows_as_they_are() -> None:
    score = Score.mean_of(np.array([True, False, True, True]))

    assert score.value == 0.75
    assert score.rows.tolist() == [1, 0, 1, 1]


def test_an_undefined_score_has_rows_without_values() -> None:
    score = Score.undefined(3)

    assert np.isnan(score.value)
    assert np.isnan(score.rows).tolist() == [True] * 3
