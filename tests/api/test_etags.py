import pytest
from starlette.requests import Request

from api.etags import matches


@pytest.mark.parametrize(
    ("given", "is_known"),
    [
        (None, False),
        ('"3"', True),
        ('W/"3"', True),
        ('"2", W/"3" ,"4"', True),
        ("*", True),
        ('"33"', False),
        ("3", False),
        ('"2","4"', False),
        ("", False),
    ],
)
def test_a_known_version_is_one_of_the_tags(given: str | None, is_known: bool) -> None:
    headers = [] if given is None else [(b"if-none-match", given.encode())]

    found = matches(Request({"type": "http", "headers": headers}), '"3"')

    assert found is is_known
