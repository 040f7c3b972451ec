import pytest

from api.errors import ProblemError
from api.ranges import check_range


@pytest.mark.parametrize("header", ["bytes=0-0", "bytes=9-", "bytes=-1", "bytes=-99", "BYTES= 0-3 , 5-9", "bytes=0-99"])
def test_a_range_inside_the_file_is_let_through(header: str) -> None:
    check_range(header, 10)


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=0-1,10-11", "bytes=999999999999999999-"])
def test_a_range_outside_the_file_names_its_size(header: str) -> None:
    with pytest.raises(ProblemError, match="has 10 bytes") as caught:
        check_range(header, 10)

    assert (caught.value.code, caught.value.headers) == ("range_not_satisfiable", {"Content-Range": "bytes */10"})


@pytest.mark.parametrize(
    "header", ["bytes=3-2", "bytes=-", "bytes=0-1,", "bytes=a-b", "0-1", "bytes=" + "9" * 5000 + "-"]
)
def test_a_range_that_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(ProblemError) as caught:
        check_range(header, 10)

    assert caught.value.code == "invalid_range"


def test_an_empty_file_has_no_range() -> None:
    with pytest.raises(ProblemError) as caught:
        check_range("bytes=0-", 0)

    assert caught.value.code == "range_not_satisfiable"
