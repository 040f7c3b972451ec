import time

import pytest

from jobs.errors import StoreUnavailableError
from worker.retrying import insist


def test_insisting_outlasts_a_short_absence():
    answers = iter([StoreUnavailableError(), "written"])

    def write():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert insist(write, time.monotonic() + 10) == "written"


def test_insisting_ends_with_the_lease():
    def write():
        raise StoreUnavailableError

    with pytest.raises(StoreUnavailableError):
        insist(write, time.monotonic() - 1)
