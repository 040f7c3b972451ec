import pytest
from starlette.requests import Request

from api.http.errors import ProblemError
from api.http.ranges import settle_range


def settle(header: str, size_bytes: int = 10) -> str | None:
    """The `Range` that is left of one."""
    request = Request({"type": "http", "headers": [(b"range", header.encode()), (b"accept", b"*/*")]})
    settle_range(request, size_bytes)
    left = dict(request.scope["headers"])
    assert left.pop(b"accept") == b"*/*"
    return left[b"range"].decode() if left else None


@pytest.mark.parametrize(
    ("header", "left"),
    [
        ("bytes=0-0", "bytes=0-0"),
        ("bytes=9-", "bytes=9-"),
        ("bytes=-1", "bytes=-1"),
        ("bytes=-99", "bytes=-99"),
        ("BYTES= 0-3 , 5-9", "bytes=0-3,5-9"),
        ("bytes=0-99", "bytes=0-99"),
        # Parts outside the file are left out as long as one is inside.
        ("bytes=0-1,10-11", "bytes=0-1"),
        ("bytes=-0,3-4", "bytes=3-4"),
        # Other units, and very many parts, are as if nothing was asked.
        ("lines=1-2", None),
        ("seconds=1-", None),
        ("bytes=" + ",".join(["0-1"] * 21), None),
    ],
)
def test_what_lies_inside_the_file_is_left(header: str, left: str | None) -> None:
    assert settle(header) == left


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=10-11,12-13", "bytes=999999999999999999-"])
def test_a_range_outside_the_file_names_its_size(header: str) -> None:
    with pytest.raises(ProblemError, match="has 10 bytes") as caught:
        settle(header)

    assert (caught.value.code, caught.value.headers) == ("range_not_satisfiable", {"Content-Range": "bytes */10"})


@pytest.mark.parametrize(
    "header", ["bytes=3-2", "bytes=-", "bytes=0-1,", "bytes=a-b", "0-1", "bytes=" + "9" * 5000 + "-"]
)
def test_a_range_that_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(ProblemError) as caught:
        settle(header)

    assert caught.value.code == "invalid_range"


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(ProblemError) as caught:
        settle("bytes=0-", 0)

    assert caught.value.code == "range_not_satisfiable"
