import pytest

from worker.protocol import EXIT_LEASE_LOST, JobEnded
from worker.supervise.outcome import Crash, StopCause, judge

RESOURCES = {"max_runtime_s": 60, "max_memory_bytes": 1000}
SUCCEEDED = JobEnded("job_1", "succeeded", result={"metrics": {}})
STOPPED = JobEnded("job_1", "stopped")
HALVED = JobEnded("job_1", "halved")
FAILED = JobEnded("job_1", "failed", reason={"code": "diverged"})
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
        (HALVED, None, "cancelled", "halved"),
        (HALVED, StopCause.PAUSE, "cancelled", "halved"),
        (HALVED, StopCause.CANCEL, "cancelled", "cancelled_by_user"),
        (STOPPED, StopCause.CANCEL, "cancelled", "cancelled_by_user"),
        (STOPPED, StopCause.DRAIN, "queued", "worker_drained"),
        (STOPPED, StopCause.PAUSE, "queued", "paused_by_user"),
        (STOPPED, None, "queued", "worker_drained"),
        (STOPPED, StopCause.MAX_RUNTIME, "failed", "max_runtime_exceeded"),
        (STOPPED, StopCause.MAX_MEMORY, "failed", "max_memory_exceeded"),
        (KILLED, None, "queued", "worker_lost"),
        (KILLED, StopCause.CANCEL, "cancelled", "cancelled_by_user"),
        (KILLED, StopCause.DRAIN, "queued", "worker_drained"),
        (KILLED, StopCause.PAUSE, "queued", "paused_by_user"),
        (KILLED, StopCause.MAX_RUNTIME, "failed", "max_runtime_exceeded"),
        (KILLED, StopCause.MAX_MEMORY, "failed", "max_memory_exceeded"),
    ],
)
def test_an_end_and_a_cause_give_one_state_and_reason(end, cause, state, code):
    settlement = judge("job_1", end, cause, RESOURCES)

    assert settlement.state == state
    assert (settlement.reason and settlement.reason["code"]) == code
    assert settlement.result == ({"metrics": {}} if end is SUCCEEDED else None)
    assert not settlement.alone


@pytest.mark.parametrize(
    ("returncode", "words", "detail"),
    [
        (-9, "SIGKILL", ("signal", "SIGKILL")),
        (-11, "SIGSEGV", ("signal", "SIGSEGV")),
        (3, "status 3", ("exit_status", 3)),
    ],
)
def test_a_crash_tells_how_and_shows_the_end_of_the_log(returncode, words, detail):
    settlement = judge("job_1", Crash(returncode, ["last words"]), None, RESOURCES)

    for reason in (settlement.reason, settlement.last_reason):
        assert words in reason["message"]
        assert reason["details"] == {"log_tail": ["last words"], detail[0]: detail[1]}
        assert reason["remedy"]


@pytest.mark.parametrize(("oom_killed", "code"), [(False, "poisoned"), (True, "out_of_memory")])
def test_a_job_that_ends_every_runner_is_poisoned_unless_memory_was_what_it_lacked(oom_killed, code):
    settlement = judge("job_1", Crash(-9, [], oom_killed), None, RESOURCES)

    assert settlement.last_reason["code"] == code


@pytest.mark.parametrize(
    "crash",
    [
        Crash(EXIT_LEASE_LOST, []),  # the supervisor was late
        Crash(-9, [], started=False),  # the node could not even start it
        Crash(1, [], oom_killed=True, started=False),
    ],
)
def test_a_job_is_not_blamed_for_what_its_worker_did(crash):
    assert judge("job_1", crash, None, RESOURCES).last_reason["code"] == "worker_lost"


def test_memory_is_blamed_only_for_a_kill():
    assert judge("job_1", Crash(1, [], oom_killed=True), None, RESOURCES).last_reason["code"] == "poisoned"


def test_only_a_loss_counts_as_one():
    ends = [(STOPPED, StopCause.DRAIN), (KILLED, StopCause.DRAIN), (KILLED, StopCause.PAUSE), (STOPPED, None)]

    assert [judge("job_1", end, cause, RESOURCES).last_reason for end, cause in ends] == [None] * 4


def test_only_a_run_that_goes_on_is_saved_first():
    assert {cause for cause in StopCause if cause.saves} == {StopCause.PAUSE, StopCause.DRAIN}


def test_one_that_was_halved_says_by_what():
    details = {"epoch": 2, "metric": "validation/loss", "value": 0.5}

    settlement = judge("job_1", JobEnded("job_1", "halved", reason={"code": "halved", "details": details}), None, {})

    assert settlement.reason["details"] == details
