"""Names of columns."""

import pytest

from regcore.data.tables.names import MAX_NAME_CHARACTERS, final_names

_LONG = "x" * MAX_NAME_CHARACTERS


@pytest.mark.parametrize(
    ("given", "names"),
    [
        pytest.param(["age", "Größe", "zip code"], ["age", "Größe", "zip code"], id="good ones stay"),
        pytest.param([" age ", "\tsize"], ["age", "size"], id="padded"),
        pytest.param(["a", "", "  "], ["a", "column_2", "column_3"], id="empty"),
        pytest.param(["a", "a", "a"], ["a", "a_2", "a_3"], id="duplicates"),
        pytest.param(["a", "a_2", "a"], ["a", "a_2", "a_3"], id="a duplicate's new name is taken"),
        pytest.param(["a", "a", "a_2"], ["a", "a_3", "a_2"], id="a name in the file keeps to its column"),
        pytest.param(["a ", "a"], ["a", "a_2"], id="alike once trimmed"),
        pytest.param(["a\0b", "c\nd", "\ufeffe", "f\u200bg"], ["a b", "c d", "e", "f g"], id="controls"),
        pytest.param(["Gro\u0308ße"], ["Größe"], id="letters with accents of their own"),
        pytest.param(["\ud800"], ["column_1"], id="half a surrogate pair"),
        pytest.param(["x" * 300], [_LONG], id="long"),
        pytest.param(["x" * 300, "x" * 400], [_LONG, _LONG + "_2"], id="long twice"),
        pytest.param(["../../etc", "a/b"], ["../../etc", "a/b"], id="what would be paths are names"),
    ],
)  # fmt: skip
def test_names_are_unique_and_printable(given: list[str], names: list[str]) -> None:
    assert final_names(given)[0] == names


def test_a_renamed_column_is_said_with_both_names() -> None:
    _, warnings = final_names(["age", " size", "age"])

    (warning,) = warnings
    assert warning.code == "columns_renamed"
    assert "2 of 3 columns" in warning.message
    assert "' size' is 'size'" in warning.message
    assert "'age' is 'age_2'" in warning.message


def test_very_many_renamed_columns_are_counted() -> None:
    _, warnings = final_names([""] * 1_000)

    assert "995 more" in warnings[0].message
    assert len(warnings[0].message) < 1_000


def test_good_names_are_no_matter_of_a_warning() -> None:
    assert final_names(["a", "b"]) == (["a", "b"], [])
