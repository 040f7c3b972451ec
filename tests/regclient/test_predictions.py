import csv
import io
import os
from pathlib import Path

import pytest

from regclient import UsageError
from regclient.predictions import Predictions, needing_engine, replaced_when_whole

OF_CLASSES = Predictions(
    values=["a,b", "c"], classes=["a,b", "c"], probabilities=[[0.1 + 0.2, 1 - (0.1 + 0.2)], [1e-300, 1.0]], notes=[]
)
OF_NUMBERS = Predictions(values=[1.5, -2e30], classes=None, probabilities=None, notes=[])


def written(predictions: Predictions) -> list[list[str]]:
    text = io.StringIO()
    predictions.write(text)
    return list(csv.reader(io.StringIO(text.getvalue())))


def test_rows_are_numbered_and_probabilities_are_named_by_label_with_all_digits() -> None:
    header, first, second = written(OF_CLASSES)

    assert header == ["row", "prediction", "probability_a,b", "probability_c"]
    assert first[:2] == ["1", "a,b"]
    assert [float(cell) for cell in first[2:]] == [0.1 + 0.2, 1 - (0.1 + 0.2)]
    assert second == ["2", "c", "1e-300", "1.0"]


def test_a_regression_has_no_probabilities() -> None:
    assert written(OF_NUMBERS) == [["row", "prediction"], ["1", "1.5"], ["2", "-2e+30"]]


def test_a_file_is_replaced_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    with replaced_when_whole(path) as file:
        file.write("after")
        assert path.read_text() == "before"

    assert path.read_text() == "after"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_file_that_was_not_written_whole_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("before")

    def write_half() -> None:
        with replaced_when_whole(path) as file:
            file.write("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()

    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["out.csv"]


def test_a_missing_engine_says_what_to_install() -> None:
    with (
        pytest.raises(
            UsageError, match=r"'torch' is missing here\. Install the engine: pip install 'regcore\[engine\]'"
        ),
        needing_engine(),
    ):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
