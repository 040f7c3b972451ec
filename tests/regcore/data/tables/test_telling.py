from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from regcore.data.tables.telling import telling_alone

NUM_ROWS = 300
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=NUM_ROWS)
TWO = (VALUES > 0.3).astype(np.int64)
THREE = np.digitize(VALUES, [-0.5, 0.5])
NOISE = RNG.normal(size=NUM_ROWS)


def tell(cells: Any, target: Any, num_classes: int | None) -> str | None:
    return telling_alone(pa.chunked_array([pa.array(cells)]), target, num_classes)


GIVEN_AWAY = {
    "number that orders two classes": (VALUES, TWO, 2),
    "number that orders them the other way": (-VALUES, TWO, 2),
    "number that orders three classes": (THREE * 10.0 + NOISE / 10, THREE, 3),
    "boolean": (TWO == 0, TWO, 2),
    "text with one slip": ([*np.where(TWO[:-1], "paid", "open"), "paid"], TWO, 2),
    "number that is there for one class alone": ([v if t else None for v, t in zip(NOISE, TWO, strict=True)], TWO, 2),
    "date": ([datetime(2020, 1, 1) + timedelta(days=float(v)) for v in VALUES], TWO, 2),
    "number in a line": (3 - 2 * VALUES, VALUES, None),
    "number in rank": (np.exp(5 * VALUES), VALUES, None),
}
LEFT_ALONE = {
    "noise": (NOISE, TWO, 2),
    "good but no copy": (VALUES + NOISE / 3, TWO, 2),
    "good number": (VALUES + NOISE / 3, VALUES, None),
    "text with a value for each row": ([f"row {k}" for k in range(NUM_ROWS)], TWO, 2),
    "gaps by chance": ([v if k % 3 else None for k, v in enumerate(NOISE)], TWO, 2),
    "gaps alone": (pa.array([None] * NUM_ROWS, pa.float64()), TWO, 2),
    "a target that does not vary": (VALUES, np.zeros(NUM_ROWS, np.int64), 2),
    "few rows": (VALUES[:10], TWO[:10], 2),
    "infinite numbers": (np.where(VALUES > 0, np.inf, -np.inf), VALUES, None),
}


@pytest.mark.parametrize("case", GIVEN_AWAY)
def test_a_column_that_gives_the_target_away_is_told(case: str) -> None:
    assert tell(*GIVEN_AWAY[case]) is not None


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_other_columns_are_left_alone(case: str) -> None:
    assert tell(*LEFT_ALONE[case]) is None
