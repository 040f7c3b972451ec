"""The limits of a file of rows."""

import pytest

from regcore.data.tables.limits import MIN_BOMB_BYTES, Limits, check_size, check_unpacked
from regcore.errors import InvalidDataError

_LIMITS = Limits(max_rows=10, max_columns=5, max_cells=30, max_unpacked_bytes=10 * MIN_BOMB_BYTES, max_ratio=100)


@pytest.mark.parametrize(("num_rows", "num_columns"), [(1, 1), (10, 3), (6, 5)])
def test_a_table_within_the_limits_is_taken(num_rows: int, num_columns: int) -> None:
    check_size(num_rows, num_columns, _LIMITS)


@pytest.mark.parametrize(
    ("num_rows", "num_columns", "said"),
    [
        (0, 1, "no rows"),
        (1, 0, "no columns"),
        (11, 1, "11 rows, and may have 10"),
        (1, 6, "6 columns, and may have 5"),
        (2**62, 1, "rows"),
        (7, 5, "7 rows of 5 columns, and may have 30 cells"),
    ],
)
def test_a_table_beyond_a_limit_is_refused_with_both_numbers(num_rows: int, num_columns: int, said: str) -> None:
    with pytest.raises(InvalidDataError, match=said) as caught:
        check_size(num_rows, num_columns, _LIMITS)

    assert caught.value.remedy


@pytest.mark.parametrize(
    ("packed", "unpacked"),
    [
        pytest.param(1, MIN_BOMB_BYTES, id="small, at any ratio"),
        pytest.param(2 * MIN_BOMB_BYTES // 100, 2 * MIN_BOMB_BYTES, id="large, at the ratio"),
    ],
)
def test_what_unpacks_as_rows_do_is_taken(packed: int, unpacked: int) -> None:
    check_unpacked("It", packed, unpacked, _LIMITS)


@pytest.mark.parametrize(
    ("packed", "unpacked", "said"),
    [
        (2 * MIN_BOMB_BYTES // 100, 2 * MIN_BOMB_BYTES + 1, "more than 100 times its size"),
        (9 * MIN_BOMB_BYTES, 10 * MIN_BOMB_BYTES + 1, "more than 1,000,000,000 bytes"),
    ],
)
def test_what_unpacks_to_too_much_is_refused(packed: int, unpacked: int, said: str) -> None:
    with pytest.raises(InvalidDataError, match=said):
        check_unpacked("It", packed, unpacked, _LIMITS)
