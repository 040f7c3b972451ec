import pytest
from one_job import requeue

from jobs.model import ArtifactRow, Capabilities, Settlement
from jobs.states import JobState, Reason, make_reason
from worker.supervise.files import RunDirectory
from worker.supervise.live_job import LiveJob
from worker.supervise.outcome import sent_back


@pytest.fixture
def make_job(store, submit, tmp_path):
    """A job as it was claimed, as its supervisor sees it."""

    def make_job(**fields):
        submit("succeed", **fields)
        run = store.claim("wrk_1", Capabilities(frozenset({"cpu"})))
        return LiveJob(run.jobs[0], RunDirectory(tmp_path, run.run_id, run.jobs[0].id))

    return make_job


def test_the_runner_is_told_where_the_job_writes_and_what_it_trains(make_job, tmp_path):
    job = make_job()

    told = job.assignment(job.directory.log_path, {"init_from": tmp_path / "weights"})

    assert (told.job_id, told.key, told.spec["name"]) == (job.id, job.id, "succeed")
    assert (told.directory, told.log) == (str(job.directory.path), str(job.directory.log_path))
    assert told.inputs == {"init_from": str(tmp_path / "weights")}
    assert told.rungs == []


def test_a_rerun_is_called_in_its_checkpoint_as_the_job_that_saved_it(make_job):
    job = make_job(checkpoint={"key": "job_parent", "step": 5, "furthest_step": 5})

    told = job.assignment(job.directory.log_path, {})

    assert (told.job_id, told.key) == (job.id, "job_parent")
    assert told.inputs == {}


def test_time_of_earlier_runs_counts_as_used(store, make_job):
    first = make_job()
    requeue(store, 1, first.id, usage={"device_s": 2.0})
    run = store.claim("wrk_1", Capabilities(frozenset({"cpu"})))

    job = LiveJob(run.jobs[0], first.directory)
    job.device_s = 0.5

    assert job.used_s == 2.5


def test_an_end_says_all_that_the_store_writes(make_job):
    job = make_job()
    active = job.is_active
    job.device_s, job.peak_memory_bytes, job.leave_by = 1.23456, 7, 100.0
    job.settlement = Settlement(job_id=job.id, state=JobState.SUCCEEDED, result={"metrics": {}})
    row = ArtifactRow("log.txt", 1, "a" * 64, "text/plain")

    end = job.settled([row])

    assert (active, job.is_active) == (True, False)
    assert (end.job_id, end.state, end.result) == (job.id, JobState.SUCCEEDED, {"metrics": {}})
    assert (end.usage, end.artifacts) == ({"device_s": 1.235, "peak_memory_bytes": 7}, [row])
    assert (end.leaves, end.alone) == (True, False)


def test_who_is_sent_back_is_to_train_alone(make_job):
    job = make_job()
    job.settlement = sent_back(job.id, "Too much.")

    end = job.settled([])

    assert (end.state, end.alone, end.leaves) == (JobState.QUEUED, True, False)
    assert end.reason == make_reason(Reason.FUSION_LIMIT, "Too much.")
    assert end.last_reason is None, "that is no lost attempt"
