import pytest

from regcore.errors import SpecError
from regcore.plan.problems import Problems


def fails():
    raise ValueError("no")


def test_all_are_told_at_once():
    problems = Problems()
    problems.add("/a", "first", "one")

    assert problems.attempt("/b", "second", fails, 7) == 7
    with pytest.raises(SpecError) as caught:
        problems.stop_if_any()

    assert [(error.pointer, error.code, error.message) for error in caught.value.errors] == [
        ("/a", "first", "one"),
        ("/b", "second", "no"),
    ]


def test_what_works_is_given_back_and_nothing_stops():
    problems = Problems()

    assert problems.attempt("/a", "first", lambda: 3, 7) == 3
    problems.stop_if_any()
