import math
from itertools import pairwise
from typing import Any

import pytest
from rich.cells import cell_len

from regclient.display.sweep_numbers import Curve, curves_of
from regclient.display.terminal_plot import line_plot


def curve(values: list[float], means: list[float], name: str = "test/loss") -> Curve:
    return Curve(name, values, means, means, means)


def rows_of(curves: list[Curve], marks: dict[str, float] | None = None, **size: int) -> list[str]:
    return line_plot(curves, marks or {}, **size).plain.splitlines()


def test_it_keeps_to_its_columns_and_names_everything(path: dict[str, Any]) -> None:
    rows = rows_of(curves_of(path, "loss"), {"best": 1e-3, "one standard error": 1e-2}, width=78, height=10)

    assert max(cell_len(row) for row in rows) <= 78
    assert len(rows) == 10 + 4
    assert rows[-2].strip().split("   ") == ["● train/loss", "○ validation/loss", "◆ test/loss"]
    assert "│ best: 0.001   ┊ one standard error: 0.01" in rows[-1]


def test_a_falling_curve_falls() -> None:
    rows = rows_of([curve([0, 1, 2], [3.0, 2.0, 1.0])], width=40, height=9)

    columns = {index: row.index("●") for index, row in enumerate(rows[:9]) if "●" in row}
    assert list(columns) == [0, 4, 8]
    assert list(columns.values()) == sorted(columns.values())
    assert [row.split(" ┤")[0].strip() for row in (rows[0], rows[4], rows[8])] == ["3", "2", "1"]


def test_orders_of_magnitude_are_evenly_apart_and_0_lies_left_of_them() -> None:
    rows = rows_of([curve([0, 1e-3, 1e-2, 1e-1], [1.0, 1.0, 1.0, 1.0])], width=71, height=3)

    places = [place for row in rows[:3] for place, character in enumerate(row) if character == "●"]
    steps = {right - left for left, right in pairwise(places)}
    assert steps == {20}
    assert rows[4].split() == ["0", "0.001", "0.01", "0.1"]


def test_a_linear_axis_is_labelled_with_values_of_it() -> None:
    assert rows_of([curve([1, 2, 3, 4], [1.0, 2.0, 1.0, 2.0])])[-2].split() == ["1", "2", "3", "4"]


def test_a_gap_stays_a_gap() -> None:
    rows = rows_of([curve([0, 1, 2], [1.0, math.nan, 2.0])])

    assert "".join(rows[:14]).count("●") == 2


@pytest.mark.parametrize("means", [[0.5], [0.5, 0.5]])
def test_one_value_alone_is_drawn_too(means: list[float]) -> None:
    values = [0.1] * len(means)

    assert "●" in "".join(rows_of([curve(values, means)])[:14])


def test_a_diverged_end_does_not_flatten_the_rest() -> None:
    rows = rows_of([curve([1, 2, 3], [0.1, 0.2, 1000.0])], height=20)

    assert sum("●" in row for row in rows[:20]) == 3


def test_a_narrow_plot_keeps_its_legend_whole_and_names_its_axis(path: dict[str, Any]) -> None:
    marks = {"best": 1e-3, "one standard error": 1e-2}

    rows = rows_of(curves_of(path, "loss"), marks, axis="L1 strength", width=40, height=8)

    assert max(cell_len(row) for row in rows) <= 40
    assert rows[10].strip() == "L1 strength"
    for expected in ("● train/loss", "○ validation/loss", "◆ test/loss", "│ best: 0.001", "┊ one standard error: 0.01"):
        assert any(expected in row for row in rows[11:])
