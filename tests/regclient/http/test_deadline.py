import math
import threading
from typing import Any

import pytest

from regclient import UsageError
from regclient.http.deadline import LAST_ANSWER_S, NO_DEADLINE, Deadline, current_deadline, within


@pytest.mark.parametrize("timeout_s", [-1, -0.001, float("nan"), -math.inf, "3", True, [1]], ids=ascii)
def test_what_is_no_time_is_refused(timeout_s: Any) -> None:
    with pytest.raises(UsageError, match="timeout_s"):
        Deadline(timeout_s)


@pytest.mark.parametrize("timeout_s", [None, math.inf])
def test_without_an_end_all_is_left(timeout_s: float | None) -> None:
    assert Deadline(timeout_s).left_s == math.inf


def test_at_once_leaves_no_wait_and_still_one_answer() -> None:
    deadline = Deadline(0)

    assert deadline.left_s <= 0
    assert 0 < deadline.answer_left_s <= LAST_ANSWER_S


@pytest.mark.parametrize(("outer_s", "inner_s"), [(5, 100), (100, 5), (5, None), (None, 5)])
def test_of_two_the_earlier_holds(outer_s: float | None, inner_s: float | None) -> None:
    with within(Deadline(outer_s)), within(Deadline(inner_s)) as held:
        assert held is current_deadline()
        assert held.timeout_s == 5

    assert current_deadline() is NO_DEADLINE


def test_another_thread_waits_by_its_own_clock() -> None:
    seen = []

    with within(Deadline(5)):
        thread = threading.Thread(target=lambda: seen.append(current_deadline()))
        thread.start()
        thread.join()

    assert seen == [NO_DEADLINE]
