from typing import Any

import pytest

from regclient.output import event_line, format_number


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12345, "12,345"), (0.123456, "0.1235"), ("ab", "ab"), (True, "True")]
)
def test_numbers_are_short(value: Any, text: str) -> None:
    assert format_number(value) == text


def test_a_log_line_is_not_read_as_markup() -> None:
    assert "\\[bold]" in event_line({"seq": 1, "at": "t", "kind": "log", "body": {"message": "[bold]"}})
