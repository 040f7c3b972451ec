from pathlib import Path
from typing import Any

import pytest
from matplotlib import rc_context
from PIL import Image

from regclient.display.sweep_numbers import contrasts_of_ablation, contrasts_of_comparison
from regclient.display.sweep_plots import draw_contrasts, draw_path
from regclient.display.sweep_words import path_sentences


def height_of(file: Path) -> int:
    with Image.open(file) as picture:
        return picture.height


def without(path: dict[str, Any], metric: str) -> dict[str, Any]:
    for point in path["points"]:
        point["metrics"] = {name: cell for name, cell in point["metrics"].items() if not name.endswith(metric)}
    return path


def test_there_is_a_panel_for_each_thing_that_was_measured(path: dict[str, Any], tmp_path: Path) -> None:
    draw_path(path, tmp_path / "three.png", title="l1", axis="/regularizers/0/strength")
    draw_path(without(path, "accuracy"), tmp_path / "two.png", title="l1", axis="/regularizers/0/strength")
    for point in path["points"]:
        point["sparsity"] = {"value": 0.0, "low": None, "high": None}
    draw_path(path, tmp_path / "one.png", title="l1", axis="/regularizers/0/strength")

    heights = [height_of(tmp_path / f"{name}.png") for name in ("one", "two", "three")]
    assert heights[0] < heights[1] < heights[2]


@pytest.mark.parametrize(
    "values",
    [(0.0, 1e-3, 1e-1), (0.1, 0.5, 0.9), (1e-6, 1e-3, 1.0), (0.0, 1e-300, 1e10), (1e-300, 1e-100, 1e10)],
)
def test_every_kind_of_axis_is_drawn(path: dict[str, Any], tmp_path: Path, values: tuple[float, ...]) -> None:
    for point, value in zip(path["points"], values, strict=True):
        point["value"] = value
    path["points"][2]["metrics"]["train/loss"] = {"value": 50.0, "low": -1.0, "high": 99.0}
    path["points"][1]["metrics"]["test/loss"] = {"value": None, "low": None, "high": None}

    draw_path(path, tmp_path / "path.png", title="t", axis="a")

    assert height_of(tmp_path / "path.png") > 0


def test_contrasts_are_drawn_a_line_each(comparison: dict[str, Any], ablation: dict[str, Any], tmp_path: Path) -> None:
    draw_contrasts(contrasts_of_ablation(ablation), tmp_path / "one.png")
    unknown = {"value": None, "low": None, "high": None}
    comparison["differences"] *= 5
    comparison["differences"].append({**comparison["differences"][0], "difference": unknown, "p_value_corrected": None})
    draw_contrasts(contrasts_of_comparison(comparison), tmp_path / "six.png")

    assert height_of(tmp_path / "one.png") < height_of(tmp_path / "six.png")


def test_a_name_may_hold_any_character(path: dict[str, Any], comparison: dict[str, Any], tmp_path: Path) -> None:
    comparison["differences"][0]["group"] = "cost $5^{ 🎉"

    draw_path(path, tmp_path / "path.svg", title="$\\frac{ 日本語", axis="$x_")
    draw_contrasts(contrasts_of_comparison(comparison), tmp_path / "contrasts.png")

    assert height_of(tmp_path / "contrasts.png") > 0


def test_a_picture_says_in_words_what_the_terminal_says(path: dict[str, Any], tmp_path: Path) -> None:
    with rc_context({"svg.fonttype": "none"}):  # text as text
        draw_path(path, tmp_path / "path.svg", title="t", axis="L1 strength")

    picture = (tmp_path / "path.svg").read_text("utf-8")
    assert all(sentence in picture for sentence in path_sentences(path, "L1 strength"))
    assert ">L1 strength<" in picture
