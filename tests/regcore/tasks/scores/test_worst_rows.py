import numpy as np
import pyarrow as pa

from regcore.tasks.scores.regression import NumberEvaluation
from regcore.tasks.scores.split import SplitEvaluation
from regcore.tasks.scores.worst_rows import NUM_ROWS, worst_rows

LOSSES = np.array([0.5, 2.0, np.nan, 2.0, np.inf])


def test_the_largest_come_first_and_of_equal_ones_the_first() -> None:
    found = worst_rows({"test": SplitEvaluation(LOSSES)}, "loss", {"test": np.array([9, 4, 7, 5, 2])}, None)

    assert found["metric"] == "loss"
    assert found["splits"]["test"]["numbered_in"] == "data"
    assert [(told["row"], told["value"]) for told in found["splits"]["test"]["rows"]] == [
        (2, np.inf),
        (4, 2.0),
        (5, 2.0),
        (9, 0.5),
    ]


def test_rows_from_elsewhere_are_numbered_in_their_split() -> None:
    split = worst_rows({"test": SplitEvaluation(LOSSES[:2])}, "loss", {"test": None}, None)["splits"]["test"]

    assert split == {"numbered_in": "split", "rows": [{"row": 2, "value": 2.0}, {"row": 1, "value": 0.5}]}


def test_rows_that_are_files_are_told_by_their_path() -> None:
    files, split = pa.chunked_array([["a.png", "b.png"], ["c.png"]]), SplitEvaluation(LOSSES[:2])

    found = worst_rows({"test": split, "train": split}, "loss", {"test": np.array([1, 3]), "train": None}, None, files)

    assert [told["file"] for told in found["splits"]["test"]["rows"]] == ["c.png", "a.png"]
    assert "file" not in found["splits"]["train"]["rows"][0]


def test_of_many_rows_a_few_are_told() -> None:
    found = worst_rows({"train": SplitEvaluation(np.arange(500.0))}, "loss", {"train": None}, None)

    assert [told["row"] for told in found["splits"]["train"]["rows"]] == list(range(500, 500 - NUM_ROWS, -1))


def test_a_number_is_told_beside_what_was_predicted_in_the_digits_of_float32() -> None:
    targets, predictions = np.array([2899.999917]), np.array([2100.0])
    split = NumberEvaluation((predictions - targets) ** 2, predictions, targets)

    (told,) = worst_rows({"test": split}, "mae", {"test": None}, None)["splits"]["test"]["rows"]

    assert (told["target"], told["prediction"]) == (2900.0, 2100.0)
