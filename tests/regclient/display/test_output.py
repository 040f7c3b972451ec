from typing import Any

import pytest

from regclient.display.output import event_line, format_number, out, print_announcement, without_secrets
from regclient.display.terminal import ReaderGoneError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (12345, "12,345"),
        (0.123456, "0.1235"),
        (-15_230.4, "-15,230"),
        (9_999.5, "10,000"),
        (5.768e8, "576,800,000"),
        (6.237e9, "6.237e+09"),
        (float("inf"), "inf"),
        ("ab", "ab"),
        (True, "True"),
    ],
)
def test_numbers_are_short(value: Any, text: str) -> None:
    assert format_number(value) == text


def test_a_log_line_is_not_read_as_markup() -> None:
    assert "\\[bold]" in event_line({"seq": 1, "at": "t", "kind": "log", "body": {"message": "[bold]"}})


def test_a_message_of_two_lines_passes_for_no_other_record() -> None:
    line = event_line({"seq": 1, "at": "12:00Z", "kind": "log", "body": {"message": "one\n12:01Z  state  succeeded"}})

    assert line.split("\n")[1] == " " * len("12:00Z  log         ") + "12:01Z  state  succeeded"


def test_an_announcement_that_nobody_reads_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise ReaderGoneError

    monkeypatch.setattr(out, "print", gone)

    print_announcement("api", "ready")


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
