"""Cells of text."""

import pyarrow as pa
import pytest

from regcore.data.tables.limits import Limits
from regcore.data.tables.read.text_cells import clean_text
from regcore.errors import InvalidDataError


def test_spaces_at_the_ends_go_and_gaps_stay() -> None:
    cells = pa.chunked_array([[" a ", None], ["", "\tb c\u00a0", "   "]])

    assert clean_text("n", cells, Limits()).to_pylist() == ["a", None, "", "b c", ""]


def test_other_types_are_left_alone() -> None:
    cells = pa.chunked_array([[1, None]])

    assert clean_text("n", cells, Limits()) is cells


@pytest.mark.parametrize("cell", ["x" * 11, "ü" * 6], ids=["letters", "letters of two bytes"])
def test_a_long_cell_is_refused_with_its_place(cell: str) -> None:
    cells = pa.chunked_array([["a", "x" * 10], [None, cell]])

    with pytest.raises(
        InvalidDataError, match=r"Row 4, column 'n': the cell has 1[12] bytes, and may have 10"
    ) as caught:
        clean_text("n", cells, Limits(max_cell_bytes=10))

    assert caught.value.details == {"row": 4, "column": "n"}


def test_nul_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidDataError, match="Row 3, column 'n': the cell holds the character NUL"):
        clean_text("n", pa.chunked_array([["a", None, "b\0"]]), Limits())
