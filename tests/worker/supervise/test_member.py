import pytest
from one_job import requeue

from jobs.model import ArtifactRow, Capabilities
from jobs.states import JobState, Reason, make_reason
from worker.supervise.files import RunDirectory
from worker.supervise.member import Member, sent_back
from worker.supervise.outcome import JobOutcome


@pytest.fixture
def make_member(store, submit, tmp_path):
    """A job as it was claimed, as its supervisor sees it."""

    def make_member(**fields):
        submit("succeed", **fields)
        run = store.claim("wrk_1", Capabilities(frozenset({"cpu"})))
        return Member(run.jobs[0], RunDirectory(tmp_path, run.run_id, run.jobs[0].id))

    return make_member


def test_the_runner_is_told_where_the_job_writes_and_what_it_trains(make_member, tmp_path):
    member = make_member()

    message = member.as_message(member.directory.log_path, tmp_path / "weights")

    assert (message.job_id, message.key, message.spec["name"]) == (member.id, member.id, "succeed")
    assert (message.directory, message.log) == (str(member.directory.path), str(member.directory.log_path))
    assert message.starting_weights == str(tmp_path / "weights")
    assert message.rungs == []


def test_a_rerun_is_called_in_its_checkpoint_as_the_job_that_saved_it(make_member):
    member = make_member(checkpoint={"key": "job_parent", "step": 5, "furthest_step": 5})

    message = member.as_message(member.directory.log_path, None)

    assert (message.job_id, message.key) == (member.id, "job_parent")
    assert message.starting_weights is None


def test_time_of_earlier_runs_counts_as_used(store, make_member):
    first = make_member()
    requeue(store, 1, first.id, usage={"device_s": 2.0})
    run = store.claim("wrk_1", Capabilities(frozenset({"cpu"})))

    member = Member(run.jobs[0], first.directory)
    member.device_s = 0.5

    assert member.used_s == 2.5


def test_an_end_says_all_that_the_store_writes(make_member):
    member = make_member()
    active = member.is_active
    member.device_s, member.peak_memory_bytes, member.leave_by = 1.23456, 7, 100.0
    member.outcome = JobOutcome(JobState.SUCCEEDED, result={"metrics": {}})
    row = ArtifactRow("log.txt", 1, "a" * 64, "text/plain")

    end = member.end([row])

    assert (active, member.is_active) == (True, False)
    assert (end.job_id, end.state, end.result) == (member.id, JobState.SUCCEEDED, {"metrics": {}})
    assert (end.usage, end.artifacts) == ({"device_s": 1.235, "peak_memory_bytes": 7}, [row])
    assert (end.leaves, end.alone) == (True, False)


def test_who_is_sent_back_is_to_train_alone(make_member):
    member = make_member()
    member.outcome = sent_back("Too much.", {"limit": 3})

    end = member.end([])

    assert (end.state, end.alone, end.leaves) == (JobState.QUEUED, True, False)
    assert end.reason == make_reason(Reason.FUSION_LIMIT, "Too much.", details={"limit": 3})
    assert end.last_reason is None, "that is no lost attempt"
