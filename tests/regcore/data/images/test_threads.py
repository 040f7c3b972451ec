import threading

import pytest

from regcore.data.images.threads import each


def test_results_come_in_the_order_of_what_was_given():
    assert each(lambda number, word: (number, word), range(200), iter("ab" * 100))[:3] == [(0, "a"), (1, "b"), (2, "a")]


def test_the_work_is_done_by_other_threads_and_nothing_gives_nothing():
    assert each(lambda one: threading.current_thread() is threading.main_thread(), [1]) == [False]
    assert each(print, []) == []


def test_an_error_is_raised_where_the_work_is_asked_for():
    def fail(number):
        if number == 150:
            raise ValueError("150 is wrong")

    with pytest.raises(ValueError, match="150 is wrong"):
        each(fail, range(300))
