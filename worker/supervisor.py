"""One run, from claimed to ended: the thin parent of a runner process.

The supervisor never trains. It moves records from the runner to the store, keeps the lease, passes on the
request to stop, kills what does not stop in time, and says in one transaction how the run ended.
"""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.artifacts import ArtifactStore
from jobs.errors import StaleRunError, StoreUnavailableError
from jobs.live import Notifier
from jobs.logs import get_logger
from jobs.model import ArtifactRow, Job
from jobs.settings import Settings
from jobs.states import TERMINAL, JobState
from jobs.store import Store
from worker.archive import keep_file, logged_lines, metrics_rows
from worker.checkpoints import RunCheckpoints
from worker.devices import Slot
from worker.files import RunDirectory
from worker.oom import count_oom_kills
from worker.outbox import Outbox, insist
from worker.outcome import Crash, StopCause, Verdict, judge
from worker.process import RunnerProcess
from worker.protocol import Accepted, Ended, Event, Renew, Run, Started, Stop, Wrote

_TICK_S = 0.1
_POLL_S = 0.3
# Importing torch on a loaded machine takes up to half a minute; a runner that needs more is stuck.
_WARM_UP_TIMEOUT_S = 120.0
_log = get_logger(__name__)


@dataclass(frozen=True)
class Surroundings:
    """What every supervisor of a worker shares.

    Attributes:
        draining: Set when the worker is told to shut down: runs go back to the queue.
        num_threads: That torch gets in each runner.
    """

    store: Store
    artifacts: ArtifactStore
    notifier: Notifier
    settings: Settings
    draining: threading.Event
    num_threads: int


class LeaseLostError(Exception):
    """The run is another's, or may be: nothing more is written for it."""


class Supervisor:
    """Sees one job of a run through.

    Args:
        surroundings: The worker's.
        run_id: The fence.
        job: As it was claimed.
        slot: Where it runs.
        runner: Warm or warming up, and serving this job's tenant only.
        claimed_at: When the lease began, on the monotonic clock.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        run_id: int,
        job: Job,
        slot: Slot,
        runner: RunnerProcess,
        claimed_at: float,
    ) -> None:
        self._around = surroundings
        self._store = surroundings.store
        self._settings = surroundings.settings
        self._run_id = run_id
        self._job = job
        self._slot = slot
        self._runner = runner
        self._resources: dict[str, Any] = job.resolved_spec["resources"]
        self._directory = RunDirectory(self._settings.data_dir, run_id, job.id)
        self._checkpoints = RunCheckpoints(self._settings.checkpoints_dir, run_id, job)
        self._outbox = Outbox(self._store, run_id, job.id)
        self._earlier_device_s = job.usage["device_s"]
        self._lease_deadline = claimed_at + self._settings.lease_s
        self._renew_at = claimed_at + self._settings.lease_s / 3
        self._poll_at = 0.0
        self._cause: StopCause | None = None
        self._kill_at: float | None = None
        self._started_at = time.monotonic()
        self.started = False
        """Whether the runner has taken the run up."""
        self._peak_memory_bytes = 0
        self._num_oom_kills = count_oom_kills()

    def supervise(self) -> bool:
        """Run the job to its end.

        Returns:
            Whether the runner may serve again.

        Raises:
            LeaseLostError: The run was taken away meanwhile; the runner is dead.
        """
        try:
            self._prepare()
            self._send_run()
            end = self._watch()
            return self._settle(judge(end, self._cause, self._resources))
        except (StaleRunError, StoreUnavailableError) as error:
            self._runner.kill()
            raise LeaseLostError(str(error)) from error
        finally:
            self._directory.remove()

    def _prepare(self) -> None:
        """Begin with what earlier runs of the job left: their log and their checkpoints."""
        if self._job.attempt > 1:
            earlier = insist(lambda: logged_lines(self._store, self._job.tenant, self._job.id), self._lease_deadline)
            self._directory.begin_log(earlier)
        if not self._checkpoints.take_over():
            message = "The job's checkpoint is not on this node: it begins anew. Workers must share checkpoints."
            self._outbox.add_warning("checkpoint_missing", message)

    def _send_run(self) -> None:
        self._runner.send(
            Run(
                run_id=self._run_id,
                job_id=self._job.id,
                spec=self._job.resolved_spec,
                directory=str(self._directory.path.resolve()),
                checkpoints=str(self._checkpoints.path),
                accepted_step=self._checkpoints.accepted_step,
                max_checkpoint_bytes=self._settings.max_checkpoint_bytes,
                data_dir=str(self._settings.data_sets_dir),
                device=self._slot.device,
                num_threads=self._around.num_threads,
                lease_s=max(0.0, self._lease_deadline - time.monotonic()),
            )
        )

    def _watch(self) -> Ended | Crash:
        """Move records and look after the run until the runner says how it ended, or dies."""
        while True:
            for event in self._runner.receive(_TICK_S):
                if isinstance(event, Ended):
                    self._peak_memory_bytes = max(self._peak_memory_bytes, event.peak_memory_bytes)
                    return event
                self._take(event)
            if self._runner.drained():
                returncode = self._runner.returncode
                assert returncode is not None
                oom_killed = count_oom_kills() > self._num_oom_kills
                return Crash(returncode, self._directory.log_tail(), oom_killed, self.started)
            self._look_after()

    def _take(self, event: Event) -> None:
        if isinstance(event, Started):
            self._start()
        elif isinstance(event, Wrote):
            self._outbox.add(event)

    def _start(self) -> None:
        self._started_at = time.monotonic()
        self.started = True
        self._notify()
        if not insist(lambda: self._store.start(self._run_id, self._job.id), self._lease_deadline):
            _log.info("not started: a cancel or a pause was quicker")
            self._check_requests()

    def _look_after(self) -> None:
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew(now)
        if now >= self._poll_at:
            self._poll_at = now + _POLL_S
            self._outbox.add_log(self._directory.log.new_lines())
            self._directory.cap_log(self._settings.max_log_bytes)
            self._check_limits(now)
            self._check_requests()
        self._flush()
        if self._kill_at is not None and now >= self._kill_at:
            self._directory.write_log("killed: it did not stop in time")
            self._runner.kill()

    def _notify(self) -> None:
        self._around.notifier.notify(self._job.id)

    def _renew(self, now: float) -> None:
        try:
            renewed = self._store.renew(self._run_id, self._settings.lease_s)
        except StoreUnavailableError:
            if now >= self._lease_deadline:
                raise
            return
        if not renewed:
            raise StaleRunError(self._run_id, self._job.id)
        self._lease_deadline = now + self._settings.lease_s
        self._renew_at = now + self._settings.lease_s / 3
        self._runner.send(Renew(self._settings.lease_s))

    def _check_requests(self) -> None:
        if self._around.draining.is_set():
            self._stop(StopCause.DRAIN, self._settings.drain_grace_s)
        try:
            # A plain read, unlike a renewal: three a second for each run cost a database nothing.
            state = self._store.state(self._job.tenant, self._job.id)
        except StoreUnavailableError:
            _log.warning("the database does not answer; a cancel would be seen later")
            return
        if state is JobState.CANCELLING:
            self._stop(StopCause.CANCEL, self._settings.cancel_grace_s)
        elif state is JobState.PAUSING:
            self._stop(StopCause.PAUSE, self._settings.drain_grace_s)

    def _check_limits(self, now: float) -> None:
        resident_bytes = self._runner.resident_bytes()
        self._peak_memory_bytes = max(self._peak_memory_bytes, resident_bytes)
        max_memory_bytes = self._resources["max_memory_bytes"]
        if max_memory_bytes is not None and resident_bytes > max_memory_bytes:
            self._stop(StopCause.MAX_MEMORY, 0.0)
        if not self.started and now - self._started_at > _WARM_UP_TIMEOUT_S:
            self._directory.write_log("killed: it did not come up in time")
            self._runner.kill()
        if self._earlier_device_s + now - self._started_at > self._resources["max_runtime_s"]:
            self._stop(StopCause.MAX_RUNTIME, self._settings.cancel_grace_s)

    def _stop(self, cause: StopCause, grace_s: float) -> None:
        """Ask the runner to stop, once; a cancel outranks any other cause, being the user's word."""
        if self._cause is not None and (cause is not StopCause.CANCEL or self._cause is StopCause.CANCEL):
            return
        _log.info("stopping the run", cause=str(cause))
        self._cause = cause
        kill_at = time.monotonic() + grace_s
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
        self._runner.send(Stop(save=cause.saves))

    def _settle(self, verdict: Verdict) -> bool:
        """Write what is left, then the end."""
        device_s = round(time.monotonic() - self._started_at, 3)
        usage = {"device_s": device_s, "peak_memory_bytes": self._peak_memory_bytes}
        if verdict.reason is not None:
            self._directory.write_log(f"{verdict.reason['code']}: {verdict.reason['message']}")
        self._outbox.add_log(self._directory.log.new_lines(to_the_end=True))
        self._renew(time.monotonic())
        insist(self._flush_all, self._lease_deadline)
        state = self._write_end(verdict, usage)
        if state in TERMINAL:
            self._checkpoints.remove()
        _log.info("ended", state=str(state), reason=verdict.reason and verdict.reason["code"], **usage)
        self._notify()
        return verdict.clean

    def _flush(self) -> None:
        if self._outbox.flush():
            self._notify()
            if self._outbox.saved_step is not None:
                self._runner.send(Accepted(self._outbox.saved_step))
                self._checkpoints.forget_earlier_runs()

    def _flush_all(self) -> None:
        self._flush()
        if not self._outbox.empty:
            raise StoreUnavailableError

    def _write_end(self, verdict: Verdict, usage: dict[str, Any]) -> JobState:
        """Say in one transaction how the run ended; returns the job's new state."""
        run_id, job_id = self._run_id, self._job.id
        if verdict.state is JobState.QUEUED and verdict.last_reason is None:
            return insist(
                lambda: self._store.requeue(run_id, job_id, verdict.reason, usage=usage), self._lease_deadline
            )
        rows = insist(lambda: metrics_rows(self._store, self._job.tenant, job_id), self._lease_deadline)
        self._directory.write_metrics(rows)
        files = self._directory.files(all_artifacts=verdict.state is JobState.SUCCEEDED)
        kept = [self._keep(path) for path in files]
        if verdict.reason is not None and verdict.last_reason is not None:
            reason, last_reason = verdict.reason, verdict.last_reason
            return insist(
                lambda: self._store.lose(run_id, job_id, reason, last_reason, usage, kept), self._lease_deadline
            )
        insist(
            lambda: self._store.finish(
                run_id, job_id, verdict.state, verdict.reason, verdict.result, usage=usage, artifacts=kept
            ),
            self._lease_deadline,
        )
        return verdict.state

    def _keep(self, path: Path) -> ArtifactRow:
        """Store one file; the lease is kept meanwhile, for a large model takes a while to be on disk."""
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew(now)
        return keep_file(self._around.artifacts, path)
