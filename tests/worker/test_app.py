"""The worker as a process: real Celery, real Redis, real runners that train."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from one_job import requeue
from supervising import in_background, wait_for

from jobs.migrate import migrate
from jobs.model import Capabilities, NewJob
from jobs.queue import make_publisher, publish
from jobs.store import open_store
from regcore.spec import parse_spec

CPU = Capabilities(frozenset({"cpu"}))
LONG = 100_000


@pytest.fixture
def stack(settings, redis_url):
    """Settings, the store, and a way to start workers; every worker is dead afterwards."""
    settings = settings.model_copy(update={"redis_url": redis_url})
    migrate(settings)
    stack = Stack(settings)
    yield stack
    stack.close()


class Stack:
    def __init__(self, settings):
        self.settings = settings
        self.store = open_store(settings)
        self._publisher = make_publisher(settings)
        self._workers = []

    def start_worker(self, **environment):
        environment = {
            **os.environ,
            **environment,
            "REGCORE_DATA_DIR": str(self.settings.data_dir),
            "REGCORE_REDIS_URL": self.settings.redis_url,
            "REGCORE_LEASE_S": str(self.settings.lease_s),
            "REGCORE_RECONCILE_INTERVAL_S": str(self.settings.reconcile_interval_s),
            "REGCORE_SECRET_OF_OURS": "secret",
        }
        worker = subprocess.Popen([sys.executable, "-m", "worker"], env=environment)
        self._workers.append(worker)
        return worker

    def submit(self, epochs=1, *, hint=True):
        body = {
            "data": {"kind": "builtin", "name": "digits"},
            "model": {"kind": "linear"},
            "training": {"epochs": epochs},
        }
        spec = parse_spec(body).model_dump(mode="json")
        new = NewJob(name=None, labels={}, priority="normal", spec=body, resolved_spec=spec, plan={})
        job = self.store.submit("t", new).job
        if hint:
            publish(self._publisher, job.id)
        return job.id

    def wait(self, job_id, *states):
        deadline = time.monotonic() + 90
        while self.store.state("t", job_id) not in states:
            assert time.monotonic() < deadline, self.store.get("t", job_id)
            time.sleep(0.02)

    def close(self):
        for worker in self._workers:
            worker.kill()
            worker.wait()
        self._publisher.close()
        self.store.close()


def is_alive(process):
    """Not a zombie either: an orphan that has ended stays one until whoever adopted it collects it."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_worker_trains_shows_itself_and_drains_on_sigterm(stack):
    worker = stack.start_worker()
    done = stack.submit(5)
    stack.wait(done, "succeeded", "failed")
    long = stack.submit(LONG)
    stack.wait(long, "running")
    runners = psutil.Process(worker.pid).children()
    environments = [runner.environ() for runner in runners]
    (row,) = stack.store.workers()
    names = {psutil.Process(worker.pid).cmdline()[0], *(runner.cmdline()[0] for runner in runners)}

    worker.send_signal(signal.SIGTERM)
    exit_status = worker.wait(30)

    assert stack.store.get("t", done).result["metrics"]["test/accuracy"] > 0.5
    assert (row.state, row.devices[0]) == ("ready", "cpu")
    assert names >= {"regcore-worker", "regcore-runner"}
    assert not any("REGCORE_SECRET_OF_OURS" in environment for environment in environments)
    assert exit_status == 0
    assert stack.store.state("t", long) == "queued"
    assert stack.store.workers() == []
    psutil.wait_procs(runners, timeout=5)
    assert not any(is_alive(runner) for runner in runners)


def test_a_job_whose_message_was_lost_is_run_all_the_same(stack):
    lost = stack.submit(hint=False)

    stack.start_worker()

    stack.wait(lost, "succeeded")


def test_a_killed_worker_takes_its_runners_with_it_and_another_takes_the_job(stack):
    first = stack.start_worker()
    job = stack.submit(LONG)
    stack.wait(job, "running")
    runners = psutil.Process(first.pid).children()

    first.kill()
    first.wait()
    psutil.wait_procs(runners, timeout=10)
    stack.start_worker()
    stack.wait(job, "queued", "starting")
    stack.wait(job, "running")
    stack.store.request_cancel("t", job)
    stack.wait(job, "cancelled")

    assert not any(is_alive(runner) for runner in runners)
    ended = stack.store.get("t", job)
    assert ended.attempt == 2
    assert "worker_lost" in [step.reason for step in ended.transitions]


def test_nothing_temporary_is_ever_outside_the_data_directory_for_a_kill_to_leave(stack, tmp_path):
    watched = tmp_path / "temporary"
    watched.mkdir()
    inside = stack.settings.data_dir / "tmp"
    outside_seen, inside_seen = set(), set()
    owing = [stack.submit(hint=False) for _ in range(50)]
    for job in owing:  # they have run and ended while no worker had them, and whoever finds one makes its files
        requeue(stack.store, stack.store.claim("wrk_0", CPU).run_id, job)
        stack.store.request_cancel("t", job)
    is_over = threading.Event()

    def watch():
        while not is_over.wait(0.001):
            outside_seen.update(os.listdir(watched))
            inside_seen.update(path.name.rpartition("-")[0] for path in inside.glob("*/*"))

    watcher = in_background(watch)
    worker = stack.start_worker(TMPDIR=str(watched))
    done = stack.submit()
    wait_for(lambda: all(stack.store.artifacts("t", job) for job in owing))
    stack.wait(done, "succeeded")
    is_over.set()
    watcher.join()
    worker.kill()
    worker.wait()

    assert outside_seen | set(os.listdir(watched)) == set()
    assert inside_seen >= {"regcore-archive"}, "there was something to leave"


def test_a_worker_that_was_taken_for_lost_has_its_temporary_folder_again(stack):
    stack.start_worker()
    folders = stack.settings.data_dir / "tmp"
    wait_for(lambda: folders.is_dir() and list(folders.iterdir()))
    (folder,) = folders.iterdir()

    shutil.rmtree(folder)  # as another worker tidies it away

    wait_for(folder.is_dir)


def test_a_killed_workers_jobs_wait_for_no_lease(stack):
    stack.settings = stack.settings.model_copy(update={"lease_s": 3600.0})
    first = stack.start_worker()
    job = stack.submit(LONG)
    stack.wait(job, "running")

    first.kill()
    first.wait()
    stack.start_worker()
    wait_for(lambda: stack.store.get("t", job).attempt == 2)
    stack.wait(job, "running")

    assert "worker_lost" in [step.reason for step in stack.store.get("t", job).transitions]
    assert len(stack.store.workers()) == 1  # the dead one is not shown either


def test_a_file_in_the_place_of_a_folder_is_told_in_one_line(tmp_path):
    (tmp_path / "tmp").write_text("")
    environment = {**os.environ, "REGCORE_DATA_DIR": str(tmp_path), "REGCORE_LOG_LEVEL": "error"}

    done = subprocess.run(
        [sys.executable, "-m", "worker"], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"'{tmp_path}/tmp" in done.stderr
