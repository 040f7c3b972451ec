import base64
import json

import pytest

from jobs.clock import Moment
from jobs.errors import InvalidCursorError
from jobs.store.cursors import Cursor, read_cursor, write_cursor


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize("as_of", [None, Moment(1.0, 2.5)], ids=str)
def test_a_cursor_is_read_as_it_was_written(as_of: Moment | None) -> None:
    cursor = Cursor(1.5, "job_1", as_of)

    assert read_cursor(write_cursor("-created_at", cursor), "-created_at", float) == cursor


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "ü",
        "####",
        "eA",
        encoded(["name", 1.5, "job_1", None]),
        encoded(["-created_at", "1.5", "job_1", None]),
        encoded(["-created_at", True, "job_1", None]),
        encoded(["-created_at", 1.5, 7, None]),
        encoded(["-created_at", 1.5, "job_\0", None]),
        encoded(["-created_at", 1.5, "job_1"]),
        encoded(["-created_at", 1.5, "job_1", 1.0]),
        encoded(["-created_at", 1.5, "job_1", [1.0]]),
        encoded(["-created_at", 1.5, "job_1", [1.0, 2]]),
        encoded(["-created_at", 1.5, "job_1", [1.0, float("inf")]]),
        encoded({}),
    ],
)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        read_cursor(cursor, "-created_at", float)
