import csv
import io
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from regclient import UsageError
from regclient.predictions import (
    Predictions,
    load_local_predictor,
    needing_engine,
    predict_file,
    replaced_when_whole,
)
from regcore import JobSpec, train
from regcore.artifacts import write_artifacts
from regcore.errors import InvalidDataError

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


@pytest.fixture(scope="module")
def rows_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes that a line tells apart."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    lines = [f"{number},{'red' if number % 3 else 'blue'},{'high' if number >= 30 else 'low'}" for number in range(60)]
    path.write_text("\n".join(["size,colour,level", *lines, ""]))
    return path


def trained(rows_csv: Path, target: str, task: str = "auto") -> Any:
    return train(
        JobSpec.model_validate(
            {
                "task": {"kind": task},
                "data": {"kind": "file", "path": str(rows_csv), "target": target},
                "model": {"kind": "linear"},
                "training": {"epochs": 20, "batch_size": 16},
            }
        )
    )


def test_a_file_is_predicted_in_its_order_with_labels_as_spelled(rows_csv: Path, tmp_path: Path) -> None:
    result = trained(rows_csv, "level")
    write_artifacts(result, tmp_path)

    found = predict_file(load_local_predictor(tmp_path), rows_csv)

    assert found.classes == ("high", "low")
    assert list(found.values) == result.predict(rows_csv).tolist()
    assert set(found.values) == {"high", "low"}
    assert found.probabilities is not None
    assert [sum(shares) for shares in found.probabilities] == pytest.approx([1.0] * 60)


def test_a_regression_is_in_the_target_s_own_unit_and_notes_say_what_was_unseen(rows_csv: Path, tmp_path: Path) -> None:
    write_artifacts(trained(rows_csv, "size"), tmp_path)
    unseen = tmp_path / "unseen.csv"
    unseen.write_text("level,colour\nhigh,green\nlow,red\n")

    found = predict_file(load_local_predictor(tmp_path), unseen)

    assert found.classes is None
    assert found.values[0] > found.values[1] > 0
    assert any("'green'" in note and "row 1" in note for note in found.notes)


def test_an_autoencoder_says_how_unlike_each_row_is(rows_csv: Path, tmp_path: Path) -> None:
    result = trained(rows_csv, "level", "reconstruction")
    write_artifacts(result, tmp_path)

    header, *rows = written(predict_file(load_local_predictor(tmp_path), rows_csv))

    assert header == ["row", "reconstruction_error"]
    errors = [result.rows[f"{name}/reconstruction_error"] for name in ("train", "validation", "test")]
    assert sorted(float(error) for _, error in rows) == pytest.approx(
        sorted(x for own in errors for x in own), rel=1e-4
    )


@pytest.fixture(scope="module")
def model_of_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    spec = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}, "training": {"epochs": 1}}
    write_artifacts(train(JobSpec.model_validate(spec)), folder)
    return folder


def test_a_model_of_images_says_how_it_predicts(rows_csv: Path, model_of_images: Path) -> None:
    with pytest.raises(InvalidDataError, match="takes images"):
        predict_file(load_local_predictor(model_of_images), rows_csv)


def test_each_file_of_a_folder_is_predicted_and_named(model_of_images: Path, tmp_path: Path) -> None:
    for name, level in (("b.png", 200), ("new/a.png", 10)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), level).save(tmp_path / name)
    predictor = load_local_predictor(model_of_images)

    header, *rows = written(predict_file(predictor, tmp_path))

    assert header == ["row", "file", "prediction", *(f"probability_{digit}" for digit in range(10))]
    assert [row[:2] for row in rows] == [["1", "b.png"], ["2", "new/a.png"]]
    assert written(predict_file(predictor, tmp_path / "b.png"))[1][1:] == rows[0][1:]


def test_a_missing_engine_says_what_to_install() -> None:
    with (
        pytest.raises(
            UsageError, match=r"'torch' is missing here\. Install the engine: pip install 'regcore\[engine\]'"
        ),
        needing_engine(),
    ):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")


def test_the_file_behind_a_link_is_replaced_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("before")
    (tmp_path / "link.csv").symlink_to("real.csv")

    for path in (tmp_path / "link.csv", Path(os.devnull)):
        with replaced_when_whole(path) as file:
            file.write("after")

    assert (tmp_path / "real.csv").read_text() == "after"
    assert (tmp_path / "link.csv").is_symlink()
    assert Path(os.devnull).is_char_device()
