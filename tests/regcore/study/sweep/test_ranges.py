import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regcore.study.sweep.ranges import at_share
from regcore.study.sweep.spec import Range


def grid(kind: Any, low: float, high: float, num: int) -> list[float]:
    return [at_share(Range(kind=kind, low=low, high=high), Fraction(k, num - 1)) for k in range(num)]


@pytest.mark.parametrize(
    ("kind", "low", "high", "points"),
    [
        ("log", 1e-6, 1e-1, [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]),
        ("log", 3e-4, 3e-1, [3e-4, 3e-3, 3e-2, 3e-1]),
        ("log", 1e-300, 1e10, [10.0**k for k in range(-300, 11, 10)]),
        ("log", 1.0, 1024.0, [2.0**k for k in range(11)]),
        ("linear", 0.0, 1.0, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        ("linear", -0.3, 0.6, [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        ("linear", -1e308, 1e308, [-1e308, -5e307, 0.0, 5e307, 1e308]),
    ],
)
def test_points_are_the_numbers_that_people_would_write(
    kind: str, low: float, high: float, points: list[float]
) -> None:
    assert grid(kind, low, high, len(points)) == points


@given(
    low=st.floats(-300, 290),
    decades=st.floats(0.01, 300),
    num=st.integers(2, 40),
    kind=st.sampled_from(["log", "linear"]),
)
def test_points_are_numpys_between_exact_ends(low: float, decades: float, num: int, kind: str) -> None:
    ends = 10.0**low, 10.0 ** min(low + decades, 300.0)
    numpys = np.geomspace(*ends, num) if kind == "log" else np.linspace(*ends, num)

    points = grid(kind, *ends, num)

    assert points == pytest.approx(numpys.tolist(), rel=1e-11)
    assert (points[0], points[-1]) == ends
    assert points == sorted(points)


def test_the_smallest_floats_are_numbers_too() -> None:
    points = grid("log", 1e-320, 1e-300, 5)

    assert points == pytest.approx([1e-320, 1e-315, 1e-310, 1e-305, 1e-300], rel=1e-4)
    assert all(math.isfinite(point) for point in points)
