from typing import Any

import pytest

from regclient.output import event_line, format_number, without_secrets


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (12345, "12,345"), (0.123456, "0.1235"), ("ab", "ab"), (True, "True")]
)
def test_numbers_are_short(value: Any, text: str) -> None:
    assert format_number(value) == text


def test_a_log_line_is_not_read_as_markup() -> None:
    assert "\\[bold]" in event_line({"seq": 1, "at": "t", "kind": "log", "body": {"message": "[bold]"}})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Illegal header value 'Bearer rc_0abc_{'s' * 43}\\n'", "Illegal header value 'Bearer rc_0abc_[redacted]\\n'"),
        ("no answer from https://me:hunter2@host/x", "no answer from https://me:[redacted]@host/x"),
        ("no answer from http://[::1]:8000 (a@b)", "no answer from http://[::1]:8000 (a@b)"),
    ],
)
def test_a_message_shows_no_key_and_no_password(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
