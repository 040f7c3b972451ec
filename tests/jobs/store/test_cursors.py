import base64
import json

import pytest

from jobs.errors import InvalidCursorError
from jobs.store.cursors import read_cursor, write_cursor


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_a_cursor_is_read_as_it_was_written() -> None:
    assert read_cursor(write_cursor("-created_at", 1.5, "job_1"), "-created_at", float) == (1.5, "job_1")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "ü",
        "####",
        "eA",
        encoded(["name", 1.5, "job_1"]),
        encoded(["-created_at", "1.5", "job_1"]),
        encoded(["-created_at", True, "job_1"]),
        encoded(["-created_at", 1.5, 7]),
        encoded(["-created_at", 1.5, "job_\0"]),
        encoded(["-created_at", 1.5]),
        encoded({}),
    ],
)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        read_cursor(cursor, "-created_at", float)
