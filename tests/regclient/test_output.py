from typing import Any

import pytest

from regclient.output import PIPE_WIDTH, event_line, format_number, make_console


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12345, "12,345"), (0.123456, "0.1235"), ("ab", "ab"), (True, "True")]
)
def test_numbers_are_short(value: Any, text: str) -> None:
    assert format_number(value) == text


def test_a_log_line_is_not_read_as_markup() -> None:
    assert "\\[bold]" in event_line({"seq": 1, "at": "t", "kind": "log", "body": {"message": "[bold]"}})


@pytest.mark.parametrize(("columns", "width"), [(None, PIPE_WIDTH), ("72", 72)])
def test_a_pipe_is_wide_unless_told_otherwise(columns: str | None, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)

    assert make_console().width == width
