import errno

import pytest

from worker.datasets.process import Died
from worker.datasets.reasons import failed, killed
from worker.datasets.request import EXIT_DISK_FULL


@pytest.mark.parametrize(
    ("returncode", "code", "words", "details"),
    [
        (-9, "parser_lost", "was killed by SIGKILL", {"signal": "SIGKILL"}),
        (-63, "parser_lost", "was killed by signal 63", {"signal": "signal 63"}),
        (1, "parser_lost", "ended with status 1", {"exit_status": 1}),
        (EXIT_DISK_FULL, "disk_full", "disk", {}),
    ],
)
def test_a_dead_reader_is_told_by_how_it_ended(
    returncode: int, code: str, words: str, details: dict[str, object]
) -> None:
    reason = killed(Died(returncode, "private output"))

    assert (reason["code"], reason["details"]) == (code, details)
    assert words in reason["message"]
    assert "private" not in str(reason)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), "internal_error"),
        (KeyError("a bug"), "internal_error"),
    ],
)
def test_a_failure_of_the_worker_is_not_blamed_on_the_file(error: Exception, code: str) -> None:
    assert failed(error)["code"] == code
