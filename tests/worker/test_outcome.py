import pytest

from worker.outcome import Crash, StopCause, judge
from worker.protocol import Ended

RESOURCES = {"max_runtime_s": 60, "max_memory_bytes": 1000}
SUCCEEDED = Ended("job_1", "succeeded", clean=True, result={"metrics": {}})
STOPPED = Ended("job_1", "stopped", clean=True)
FAILED = Ended("job_1", "failed", clean=True, reason={"code": "diverged"})
KILLED = Crash(-9, ["last words"])


@pytest.mark.parametrize(
    ("end", "cause", "state", "code"),
    [
        (SUCCEEDED, None, "succeeded", None),
        (SUCCEEDED, StopCause.CANCEL, "succeeded", None),
        (SUCCEEDED, StopCause.DRAIN, "succeeded", None),
        (FAILED, None, "failed", "diverged"),
        (FAILED, StopCause.DRAIN, "failed", "diverged"),
        (FAILED, StopCause.CANCEL, "cancelled", "cancelled_by_user"),
        (STOPPED, StopCause.CANCEL, "cancelled", "cancelled_by_user"),
        (STOPPED, StopCause.DRAIN, "queued", None),
        (STOPPED, None, "queued", None),
        (STOPPED, StopCause.MAX_RUNTIME, "failed", "max_runtime_exceeded"),
        (STOPPED, StopCause.MAX_MEMORY, "failed", "max_memory_exceeded"),
        (KILLED, None, "failed", "internal_error"),
        (KILLED, StopCause.CANCEL, "cancelled", "cancelled_by_user"),
        (KILLED, StopCause.DRAIN, "queued", None),
        (KILLED, StopCause.MAX_RUNTIME, "failed", "max_runtime_exceeded"),
        (KILLED, StopCause.MAX_MEMORY, "failed", "max_memory_exceeded"),
    ],
)
def test_an_end_and_a_cause_give_one_state_and_reason(end, cause, state, code):
    verdict = judge(end, cause, RESOURCES)

    assert verdict.state == state
    assert (verdict.reason and verdict.reason["code"]) == code
    assert verdict.clean == isinstance(end, Ended)


@pytest.mark.parametrize(
    ("returncode", "words", "detail"),
    [
        (-9, "SIGKILL", ("signal", "SIGKILL")),
        (-11, "SIGSEGV", ("signal", "SIGSEGV")),
        (3, "status 3", ("exit_status", 3)),
    ],
)
def test_a_crash_tells_how_and_shows_the_end_of_the_log(returncode, words, detail):
    reason = judge(Crash(returncode, ["last words"]), None, RESOURCES).reason

    assert words in reason["message"]
    assert reason["details"] == {"log_tail": ["last words"], detail[0]: detail[1]}
    assert reason["remedy"]
