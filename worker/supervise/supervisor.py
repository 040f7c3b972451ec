"""One run from its claim to its end: the thin parent of a runner process.

The supervisor never trains. It moves records from the runner to the store, renews the lease, passes on requests to stop
or to leave, kills what does not stop in time (`stopping`), and stores in one transaction how the run ended for each job
(`settling`).
"""

import contextlib
import time
from pathlib import Path
from typing import Any

from jobs.errors import (
    ArtifactDamagedError,
    DatasetNotFoundError,
    JobsError,
    StaleRunError,
    StoreUnavailableError,
)
from jobs.logs import get_logger
from jobs.model import Capabilities, ClaimedRun, Job, Settlement
from jobs.states import JobState, Reason, make_reason
from regcore.spec.inputs import inputs_in
from regcore.study.sweep import decide
from worker.devices import Slot
from worker.protocol import Assignment, Event, Finished, JobEnded, Judged, Judging, Run, Saved, Started, Wrote
from worker.supervise.companions import Companions
from worker.supervise.files import remove_run
from worker.supervise.inputs import Inputs
from worker.supervise.lease import Lease, LeaseLostError
from worker.supervise.live_job import LiveJob
from worker.supervise.live_run import LiveRun
from worker.supervise.oom import count_oom_kills
from worker.supervise.outcome import Crash
from worker.supervise.process import TICK_S, RunnerProcess
from worker.supervise.settling import Settling
from worker.supervise.stopping import Stopping
from worker.surroundings import Surroundings

_POLL_S = 0.3
"""The time between two checks of logs, limits and requests, and between two writes of records.

Each write is one transaction for all jobs. A runner holds progress back for up to half a second, so what the store
shows is less than a second old. States and ends are written at once."""
_log = get_logger(__name__)


class Supervisor:
    """Supervises one run: one job, or several that train in one pass.

    Args:
        surroundings: The worker's.
        run: The run, as it was claimed.
        capabilities: The worker's.
        slot: Where it runs.
        runner: Warm or warming up; it serves this tenant only.
        claimed_at: When the lease began, on the monotonic clock.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        run: ClaimedRun,
        capabilities: Capabilities,
        slot: Slot,
        runner: RunnerProcess,
        claimed_at: float,
    ) -> None:
        self._around = surroundings
        self._run = run
        self._slot = slot
        self._runner = runner
        self._lease = Lease(surroundings.store, run.run_id, runner, surroundings.settings.lease_s, claimed_at)
        self._companions = Companions(surroundings, capabilities, slot, runner, self._lease)
        self._live: LiveRun | None = None
        self._inputs = Inputs(surroundings, run.run_id, self._lease)
        self._num_oom_kills = count_oom_kills()

    def supervise(self) -> bool:
        """Run the jobs to their ends.

        Returns:
            Whether the runner may serve again.

        Raises:
            LeaseLostError: The run was given to another worker meanwhile; the runner is dead.
        """
        try:
            with contextlib.ExitStack() as uses:
                return self._supervise(self._find_table(uses))
        except (StaleRunError, StoreUnavailableError) as error:
            self._runner.kill()
            raise LeaseLostError(str(error)) from error
        finally:
            remove_run(self._around.settings.data_dir, self._run.run_id)

    def _supervise(self, table: Path | JobsError | None) -> bool:
        """Run the jobs on a table; if it cannot be had, they fail."""
        if not isinstance(table, JobsError):
            self._run = self._companions.gather(self._run, table)
        self._live = live = LiveRun(self._around, self._run, self._runner, self._lease)
        live.take_over()
        if isinstance(table, JobsError):
            for job in live.jobs.values():
                reason = _without_table(self._run.jobs[0].dataset_id, table)
                job.settlement = Settlement(job_id=job.id, state=JobState.FAILED, reason=reason)
        else:
            self._send_run(live, table)
        settling = Settling(live)
        clean = self._watch(live, Stopping(live), settling) if live.active() else True
        settling.settle(is_over=True)
        settling.clear_checkpoints()
        return clean

    def _find_table(self, uses: contextlib.ExitStack) -> Path | JobsError | None:
        """The uploaded table that the run's jobs train on, held for as long as `uses` lasts.

        Returns:
            Its file on this node; None if they train on a known set; or why it cannot be had.
        """
        dataset_id = self._run.jobs[0].dataset_id  # of all: jobs that train in one pass have the same data
        if dataset_id is None:
            return None
        try:
            table = self._lease.insist(lambda: self._around.store.dataset_table(dataset_id))
            if table is None:
                raise DatasetNotFoundError(dataset_id)
            return uses.enter_context(self._around.tables.holding(table, self._lease.renew_if_due))
        except (DatasetNotFoundError, ArtifactDamagedError) as error:
            return error

    @property
    def jobs(self) -> list[Job]:
        """The jobs of the run."""
        return self._run.jobs

    @property
    def started(self) -> bool:
        """Whether the runner has taken the run up."""
        return self._live is not None and self._live.is_started

    def active_ids(self) -> list[str]:
        """Ids of the jobs that train here now; safe to call from other threads."""
        if self._live is None:
            return [job.id for job in self._run.jobs]
        return [job.id for job in list(self._live.jobs.values()) if job.is_active]

    def _send_run(self, live: LiveRun, table: Path | None) -> None:
        assignments = [one for job in live.active() if (one := self._assignment(live, job)) is not None]
        is_alone = len(live.jobs) == 1
        if not assignments:
            return
        self._runner.send(
            Run(
                run_id=self._run.run_id,
                assignments=assignments,
                companions=self._run.companions or [one.key for one in assignments],
                output=assignments[0].log if is_alone else str(live.output.path.resolve()),
                checkpoints=str(live.checkpoints.path),
                accepted_step=live.checkpoints.accepted_step,
                max_checkpoint_bytes=live.settings.max_checkpoint_bytes,
                data_dir=str(live.settings.data_sets_dir),
                table=None if table is None else str(table),
                device=self._slot.device,
                num_threads=self._around.num_threads,
                lease_until=self._lease.until,
            )
        )

    def _assignment(self, live: LiveRun, job: LiveJob) -> Assignment | None:
        """A job as the runner gets it; None if it cannot start."""
        files: dict[str, Path] = {}
        for one in inputs_in(job.row.resolved_spec):
            found = self._inputs.files(job.row.tenant, one.job_id)
            if isinstance(found, Path):
                files[one.name] = found
            # Weights to begin with are not needed with a checkpoint; the runner fails if it cannot read that.
            elif job.row.checkpoint is None or not one.only_to_begin:
                message = f"The model of {one.job_id}, which {one.name} names, cannot be had. {found}"
                reason = make_reason(Reason.INVALID_DATA, message)
                job.settlement = Settlement(job_id=job.id, state=JobState.FAILED, reason=reason)
                return None
        return job.assignment(job.directory.log_path, files)

    def _watch(self, live: LiveRun, stopping: Stopping, settling: Settling) -> bool:
        """Move records and watch over the run until the runner reports its end, or dies."""
        poll_at = 0.0
        while True:
            for event in self._runner.receive(TICK_S):
                if isinstance(event, Finished):
                    for job in live.jobs.values():
                        job.peak_memory_bytes = max(job.peak_memory_bytes, event.peak_memory_bytes)
                    return event.clean
                self._take(live, stopping, event)
            if self._runner.drained():
                self._judge_crash(live)
                return False
            settling.settle()
            if live.active():
                self._lease.renew_if_due()
                if time.monotonic() >= poll_at:
                    poll_at = time.monotonic() + _POLL_S
                    self._look_after(live, stopping)
                stopping.let_late_go()
            else:
                stopping.expect_end()
            stopping.kill_if_late()

    def _take(self, live: LiveRun, stopping: Stopping, event: Event) -> None:
        # Ignore late events about a job that has already ended here, say by a cancel.
        awaited = {job.id: job for job in live.active()}
        match event:
            case Started():
                if not live.start():
                    _log.info("not started: a cancel or a pause was quicker")
                    stopping.check_requests()
            case Wrote() if event.job_id in awaited:
                live.outbox.add(event)
                awaited[event.job_id].is_saved_apart |= event.kind == "checkpoint"
            case Saved():
                live.outbox.add_saved(event, [job_id for job_id in event.job_ids if job_id in awaited])
            case Judging():
                self._judge_rung(live, event)
            case JobEnded() if event.job_id in awaited:
                live.tally()
                awaited[event.job_id].judge(event, len(self._run.jobs))

    def _look_after(self, live: LiveRun, stopping: Stopping) -> None:
        live.tally()
        live.read_logs()
        stopping.check_limits()
        stopping.check_requests()
        live.flush()

    def _judge_rung(self, live: LiveRun, judging: Judging) -> None:
        """Ask the sweep which of its members continue. The records that it decides by are stored first."""
        live.insist_on_flush()
        awaited = {job.id for job in live.active()}
        values = {job_id: value for job_id, value in judging.values.items() if job_id in awaited}
        goes_on = self._lease.insist(
            lambda: live.store.judge_rung(self._run.run_id, judging.epoch, values, decide) if values else {}
        )
        self._runner.send(Judged(judging.epoch, [job_id for job_id, well in goes_on.items() if not well]))

    def _judge_crash(self, live: LiveRun) -> None:
        """Decide what becomes of the jobs of a runner that died without a last message."""
        returncode = self._runner.returncode
        assert returncode is not None, "only a dead runner is drained"
        oom_killed = count_oom_kills() > self._num_oom_kills
        live.tally()
        for job in live.active():
            tail = job.directory.log_tail() or live.output.tail()
            job.judge(Crash(returncode, tail, oom_killed, live.is_started), len(self._run.jobs))


def _without_table(dataset_id: str | None, error: JobsError) -> dict[str, Any]:
    message = f"The rows of {dataset_id} cannot be had. {error}"
    remedy = "Delete the data set, upload its file again, and submit the job with the new data set."
    return make_reason(Reason.INVALID_DATA, message, remedy=remedy)
