import os
import threading
import time

import pytest
import redis
from one_job import append, finish

from jobs.artifacts import ArtifactStore
from jobs.errors import StoreUnavailableError
from jobs.live import Notifier
from jobs.model import Capabilities, NewRecord, WorkerInfo
from jobs.queue import QUEUE_NAME, make_publisher
from jobs.states import JobState
from worker.reconciler import Periodic, beat, pay_files, reconcile, tidy, wake_idle
from worker.supervise.checkpoints import RunCheckpoints
from worker.supervise.files import RunDirectory, run_ids, temporary_dir

CPU = Capabilities(frozenset({"cpu"}))


@pytest.fixture
def celery(settings, redis_url):
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    client.close()
    app = make_publisher(settings.model_copy(update={"redis_url": redis_url}))
    yield app
    app.close()


@pytest.fixture
def notifier(settings):
    notifier = Notifier(settings)
    yield notifier
    notifier.close()


def test_a_due_job_is_published_again(store, submit, celery, notifier, redis_url, settings):
    submit("succeed")
    time.sleep(settings.reconcile_interval_s * 2)

    reconcile(store, celery, notifier)

    client = redis.Redis.from_url(redis_url)
    assert client.llen(QUEUE_NAME) == 1
    client.close()


def test_an_idle_worker_gets_the_hint_that_it_missed(store, submit, celery, redis_url):
    submit("succeed")
    submit("succeed", device="cuda")
    for _ in range(3):
        store.due_jobs()  # sent, and lost with Redis: the next ones would come late

    wake_idle(store, celery, CPU)
    store.claim("wrk_1", CPU)
    wake_idle(store, celery, CPU)

    client = redis.Redis.from_url(redis_url)
    assert client.llen(QUEUE_NAME) == 1, "nothing is left that it could run"
    client.close()


def test_a_run_whose_worker_is_silent_goes_back_to_the_queue(store, submit, celery, notifier):
    job = submit("succeed")
    run = store.claim("wrk_lost", CPU)
    store.renew(run.run_id, 0.0)
    time.sleep(0.05)

    reconcile(store, celery, notifier)

    assert store.state("t", job.id) == "queued"
    assert store.get("t", job.id).transitions[-1].reason == "worker_lost"


def test_without_redis_the_job_stays_queued_and_nothing_raises(store, submit, settings, notifier):
    job = submit("succeed")
    time.sleep(settings.reconcile_interval_s * 2)
    away = make_publisher(settings)

    reconcile(store, away, notifier)

    away.close()
    assert store.state("t", job.id) == "queued"


def test_a_worker_that_was_forgotten_registers_again(store):
    worker = WorkerInfo("wrk_1", "node", CPU)

    beat(store, worker, [{"device": "cpu", "job_ids": []}], draining=False)
    beat(store, worker, [{"device": "cpu", "job_ids": ["job_1"]}], draining=True)

    (row,) = store.workers()
    assert (row.id, row.state, row.slots) == ("wrk_1", "draining", [{"device": "cpu", "job_ids": ["job_1"]}])


@pytest.mark.parametrize("error", [StoreUnavailableError(), RuntimeError("a fault of ours")])
def test_a_periodic_activity_outlives_its_errors_until_it_is_stopped(error):
    calls = []
    twice = threading.Event()

    def action():
        calls.append(None)
        if len(calls) == 2:
            twice.set()
        raise error

    periodic = Periodic("test", 0.01, action)
    periodic.start()
    assert twice.wait(10)
    periodic.stop()
    num_calls = len(calls)
    time.sleep(0.05)

    assert len(calls) == num_calls


def test_stopping_what_never_started_is_fine():
    Periodic("test", 1.0, lambda: None).stop()


def test_a_job_that_ends_with_its_worker_lost_gets_its_log_and_metrics(store, submit, celery, notifier, tmp_path):
    job = submit("succeed")
    run = store.claim("wrk_lost", CPU)
    values = {"epoch": 1, "step": 5, "values": {"train/loss": 0.5}, "non_finite": []}
    log = [NewRecord("log", {"message": f"line {number}"}, 1.0) for number in range(2)]
    append(store, run.run_id, job.id, [NewRecord("metrics", values, 1.0, "step:5"), *log])
    store.request_cancel("t", job.id)
    store.renew(run.run_id, 0.0)
    time.sleep(0.05)
    artifacts = ArtifactStore(tmp_path / "artifacts")

    reconcile(store, celery, notifier)
    pay_files(store, artifacts)
    pay_files(store, artifacts)

    rows = {row.name: artifacts.path(row.sha256).read_text() for row in store.artifacts("t", job.id)}
    assert store.state("t", job.id) == "cancelled"
    assert rows["log.txt"] == "line 0\nline 1\ncancelled_by_user: A user cancelled the job.\n"
    assert rows["metrics.csv"].splitlines()[1].startswith("3,1,5,")


def test_tidying_deletes_the_folders_of_runs_that_are_no_more(store, submit, settings):
    submit("succeed")
    ended, live = submit("succeed"), submit("succeed")
    runs = [store.claim("wrk_1", CPU) for _ in range(3)]
    for run in runs:
        RunDirectory(settings.data_dir, run.run_id, run.jobs[0].id)
    finish(store, runs[1].run_id, ended.id, JobState.FAILED)

    tidy(store, ArtifactStore(settings.artifacts_dir), settings, "wrk_1")

    assert run_ids(settings.data_dir) == {runs[0].run_id, runs[2].run_id}
    assert store.states(runs[2].run_id) == {live.id: JobState.STARTING}


@pytest.fixture
def save(store, submit, settings):
    """Have a job saved a checkpoint for a run, and end so; gives its folder."""

    def save(state, *, age_s=0.0):
        job = submit("succeed")
        run = store.claim("wrk_1", CPU)
        RunCheckpoints(settings.checkpoints_dir, job.id, run.run_id, run.jobs[0]).take_over()
        if state is not None:
            store.start_all(run.run_id)
            finish(store, run.run_id, job.id, state)
        folder = settings.checkpoints_dir / job.id
        make_older(folder, age_s)
        return folder

    return save


def make_older(path, age_s):
    at = time.time() - age_s
    os.utime(path, (at, at))


WEEK_S = 7 * 86_400


def test_tidying_deletes_the_temporary_files_of_workers_that_are_no_more(store, settings):
    known = WorkerInfo("wrk_1", "node", Capabilities(frozenset({"cpu"})), [], {})
    store.register_worker(known)
    for worker_id in ("wrk_0", "wrk_1"):
        temporary_dir(settings.data_dir, worker_id).mkdir(parents=True)

    tidy(store, ArtifactStore(settings.artifacts_dir), settings, "wrk_1")

    assert [path.name for path in (settings.data_dir / "tmp").iterdir()] == ["wrk_1"]


def test_who_tidies_keeps_its_own_temporary_files_though_its_row_is_gone(store, settings):
    own = temporary_dir(settings.data_dir, "wrk_1")
    own.mkdir(parents=True)

    tidy(store, ArtifactStore(settings.artifacts_dir), settings, "wrk_1")

    assert own.is_dir()


def test_tidying_keeps_a_checkpoint_for_as_long_as_somebody_may_go_on_from_it(store, save, settings):
    live = save(None, age_s=2 * WEEK_S)
    succeeded = save(JobState.SUCCEEDED)
    failed, failed_long_ago = save(JobState.FAILED), save(JobState.FAILED, age_s=2 * WEEK_S)
    unknown, unknown_long_ago, foreign = (
        settings.checkpoints_dir / name for name in (f"job_{'X' * 26}", f"grp_{'Y' * 26}", "my-thesis")
    )
    for folder in (unknown, unknown_long_ago, foreign):
        folder.mkdir()
    make_older(unknown_long_ago, 2 * WEEK_S)
    make_older(foreign, 2 * WEEK_S)

    tidy(store, ArtifactStore(settings.artifacts_dir), settings, "wrk_1")

    left = set(settings.checkpoints_dir.iterdir())
    assert left == {live, failed, unknown, foreign}, "a job unknown here may be another database's"
    assert not left & {succeeded, failed_long_ago, unknown_long_ago}


def test_the_setting_says_how_long_a_checkpoint_waits_for_a_rerun(store, save, settings):
    save(JobState.FAILED, age_s=100)
    recent = save(JobState.FAILED, age_s=10)

    impatient = settings.model_copy(update={"keep_checkpoints_s": 60.0})
    tidy(store, ArtifactStore(settings.artifacts_dir), impatient, "wrk_1")

    assert list(settings.checkpoints_dir.iterdir()) == [recent]


def test_tidying_keeps_a_groups_checkpoints_until_all_of_it_has_succeeded(store, submit, settings):
    ids = [submit("succeed", fusion_key="same").id for _ in range(2)]
    run = store.claim("wrk_1", CPU)
    group = store.join(run.run_id, ids[0], CPU, 1, 10**9)
    store.start_all(run.run_id)
    RunCheckpoints(settings.checkpoints_dir, group.group_id, run.run_id, group.jobs[0]).take_over()
    folder = settings.checkpoints_dir / group.group_id
    finish(store, run.run_id, ids[0], JobState.SUCCEEDED)

    tidy(store, ArtifactStore(settings.artifacts_dir), settings, "wrk_1")
    while_one_trains = folder.exists()
    finish(store, run.run_id, ids[1], JobState.SUCCEEDED)
    tidy(store, ArtifactStore(settings.artifacts_dir), settings, "wrk_1")

    assert while_one_trains
    assert not folder.exists()


def test_tidying_deletes_the_files_that_no_job_has_once_they_are_old(store, tmp_path, settings):
    artifacts = ArtifactStore(tmp_path / "artifacts")
    old, young = tmp_path / "old", tmp_path / "young"
    old.write_text("left behind an hour ago")
    young.write_text("its row is about to be written")
    (old_sha256, _), (young_sha256, _) = artifacts.put(old), artifacts.put(young)
    an_hour_ago = time.time() - 3600
    os.utime(artifacts.path(old_sha256), (an_hour_ago, an_hour_ago))

    tidy(store, artifacts, settings, "wrk_1")

    assert not artifacts.path(old_sha256).exists()
    assert artifacts.path(young_sha256).exists()
