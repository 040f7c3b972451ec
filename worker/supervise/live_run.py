"""A run while its jobs train: the state that the parts of its supervisor share, and its writes to the store."""

import time
from collections.abc import Iterable, Sequence

from jobs.errors import StoreUnavailableError
from jobs.model import ClaimedRun
from worker.protocol import Accepted
from worker.supervise.archive import logged_lines
from worker.supervise.checkpoints import RunCheckpoints
from worker.supervise.files import LogFollower, RunDirectory, run_output
from worker.supervise.lease import Lease
from worker.supervise.live_job import LiveJob
from worker.supervise.outbox import Outbox
from worker.supervise.process import RunnerProcess
from worker.surroundings import Surroundings


class LiveRun:
    """A run's jobs with their logs, records, checkpoints and time.

    Args:
        surroundings: The worker's.
        run: The run, with all jobs that train in this pass.
        runner: The process that trains them.
        lease: The run's.

    Attributes:
        jobs: Jobs by id, until it is stored how they ended.
        is_started: Whether the runner has taken the run up.
        started_at: When it did, on the monotonic clock; until then, when waiting for it began.
    """

    def __init__(self, surroundings: Surroundings, run: ClaimedRun, runner: RunnerProcess, lease: Lease) -> None:
        self.around = surroundings
        self.store = surroundings.store
        self.settings = surroundings.settings
        self.run = run
        self.runner = runner
        self.lease = lease
        self.jobs = {job.id: LiveJob(job, RunDirectory(self.settings.data_dir, run.run_id, job.id)) for job in run.jobs}
        self.outbox = Outbox(self.store, run.run_id)
        self.checkpoints = RunCheckpoints(
            self.settings.checkpoints_dir, run.group_id or run.jobs[0].id, run.run_id, run.jobs[0]
        )
        self.output = LogFollower(run_output(self.settings.data_dir, run.run_id))
        self.is_started = False
        self.started_at = self._tallied_at = time.monotonic()

    def active(self) -> list[LiveJob]:
        """The jobs that still train, as far as is known."""
        return [job for job in self.jobs.values() if job.is_active]

    def take_over(self) -> None:
        """Take over the logs and checkpoints of the jobs' earlier runs."""
        for job in self.jobs.values():
            if job.row.attempt > 1:
                earlier = self.lease.insist(
                    lambda job=job.row: logged_lines(self.store, job.tenant, job.id)  # type: ignore[misc]
                )
                job.directory.begin_log(earlier)
        if not self.checkpoints.take_over():
            message = "The job's checkpoint is not on this node: it begins anew. Workers must share checkpoints."
            for job_id in self.jobs:
                self.outbox.add_warning(job_id, "checkpoint_missing", message)

    def start(self) -> bool:
        """Note that the runner has taken the run up; False if a job was cancelled or paused before."""
        self.started_at = self._tallied_at = time.monotonic()
        self.is_started = True
        started = self.lease.insist(lambda: self.store.start_all(self.run.run_id))
        self.notify(started)
        return all(started.values())

    def tally(self) -> None:
        """Charge each active job its share of the device's time."""
        now, active = time.monotonic(), self.active()
        for job in active:
            job.device_s += (now - self._tallied_at) / len(active)
        self._tallied_at = now

    def read_logs(self, *, to_the_end: bool = False, jobs: Sequence[LiveJob] | None = None) -> None:
        """Read new lines: each job's own log, and what the process printed, which goes into all logs."""
        output = self.output.new_lines(to_the_end=to_the_end)
        for job in self.jobs.values() if jobs is None else jobs:
            for line in output:
                job.directory.write_log(line)
            self.outbox.add_log(job.id, job.directory.log.new_lines(to_the_end=to_the_end))
            job.directory.cap_log(self.settings.max_log_bytes)

    def flush(self) -> None:
        """Write the waiting records; while the database is away they stay waiting."""
        written = self.outbox.flush()
        if not written:
            return
        self.notify(written)
        accepted = self.outbox.accepted
        if accepted is not None:
            self.runner.send(Accepted(accepted.body["step"]))
            self.checkpoints.accept(accepted.body["name"])
            if self.run.is_whole:
                self.checkpoints.forget_earlier_runs()

    def insist_on_flush(self) -> None:
        """Write all waiting records, retrying as `Lease.insist` does."""
        self.lease.insist(self._flush_all)

    def _flush_all(self) -> None:
        self.flush()
        if not self.outbox.empty:
            raise StoreUnavailableError

    def notify(self, job_ids: Iterable[str]) -> None:
        """Notify the clients that watch these jobs."""
        self.around.notifier.notify(*job_ids)
