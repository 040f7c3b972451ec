"""One run, from claimed to ended: the thin parent of a runner process.

The supervisor never trains. It moves records from the runner to the store, keeps the lease, passes on requests to stop
and to leave, kills what does not stop in time, and says in one transaction how the run ended for each of its jobs.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.artifacts import ArtifactStore
from jobs.errors import ArtifactNotFoundError, JobNotFoundError, StaleRunError, StoreUnavailableError
from jobs.live import Notifier
from jobs.logs import get_logger
from jobs.model import ArtifactRow, Capabilities, ClaimedRun, Job
from jobs.settings import Settings
from jobs.states import JobState, Reason, make_reason
from jobs.store import Store
from regcore.sweep import decide
from worker.archive import keep_file, logged_lines, metrics_rows
from worker.checkpoints import RunCheckpoints
from worker.devices import Slot
from worker.files import LogFollower, RunDirectory, remove_run, run_output
from worker.member import Member, sent_back
from worker.oom import count_oom_kills
from worker.outbox import Outbox, insist
from worker.outcome import Crash, StopCause, Verdict, judge
from worker.process import RunnerProcess
from worker.protocol import (
    Accepted,
    Ended,
    Event,
    Finished,
    Fit,
    Fitting,
    Judged,
    Judging,
    Leave,
    Renew,
    Run,
    RunMember,
    Started,
    Stop,
    Wrote,
)

_PERHAPS_BY_COMPANY = frozenset({Reason.OUT_OF_MEMORY, Reason.INTERNAL_ERROR})
"""What a whole pass may fail of only because it is one."""
_LIMITS = frozenset({StopCause.MAX_MEMORY, StopCause.MAX_RUNTIME})
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
        fitting: How many members fit into one pass, by what the jobs share and the device; measured once.
    """

    store: Store
    artifacts: ArtifactStore
    notifier: Notifier
    settings: Settings
    draining: threading.Event
    num_threads: int
    fitting: dict[tuple[str, str], Fitting] = field(default_factory=dict)


class LeaseLostError(Exception):
    """The run is another's, or may be: nothing more is written for it."""


class Supervisor:
    """Sees one run through: one job, or several that train in one pass.

    Args:
        surroundings: The worker's.
        run: As it was claimed.
        capabilities: The worker's.
        slot: Where it runs.
        runner: Warm or warming up, and serving this tenant only.
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
        self._store = surroundings.store
        self._settings = surroundings.settings
        self._run = run
        self._run_id = run.run_id
        self._capabilities = capabilities
        self._slot = slot
        self._runner = runner
        self._members: dict[str, Member] = {}
        self._ended_states: list[JobState] = []
        self._outbox = Outbox(self._store, self._run_id)
        self._lease_deadline = claimed_at + self._settings.lease_s
        self._renew_at = claimed_at + self._settings.lease_s / 3
        self._poll_at = 0.0
        self._is_stopping = False
        self._kill_at: float | None = None
        self._started_at = self._tallied_at = time.monotonic()
        self.started = False
        """Whether the runner has taken the run up."""
        self._num_oom_kills = count_oom_kills()
        self._output = LogFollower(run_output(self._settings.data_dir, self._run_id))

    def supervise(self) -> bool:
        """Run the jobs to their ends.

        Returns:
            Whether the runner may serve again.

        Raises:
            LeaseLostError: The run was taken away meanwhile; the runner is dead.
        """
        try:
            self._gather_companions()
            self._prepare()
            self._send_run()
            clean = self._watch() if self._active() else True
            self._settle_judged()
            self._clear_checkpoints()
            return clean
        except (StaleRunError, StoreUnavailableError) as error:
            self._runner.kill()
            raise LeaseLostError(str(error)) from error
        finally:
            remove_run(self._settings.data_dir, self._run_id)

    @property
    def jobs(self) -> list[Job]:
        """The jobs of the run."""
        return self._run.jobs

    def active_ids(self) -> list[str]:
        """Ids of the jobs that train here now; asked from other threads."""
        return [member.id for member in list(self._members.values()) if member.is_active] or [
            job.id for job in self._run.jobs if not self._ended_states
        ]

    def _active(self) -> list[Member]:
        return [member for member in self._members.values() if member.is_active]

    def _gather_companions(self) -> None:
        """Claim queued jobs that can train in one pass with the one that was claimed, as many as pays."""
        (lead, *others) = self._run.jobs
        if others or self._settings.max_fused == 1:
            return
        if not insist(lambda: self._store.has_companions(lead.id), self._lease_deadline):
            return
        fitting = self._find_fitting(lead)
        limit = min(fitting.size, self._settings.max_fused) - 1
        if limit > 0:
            self._run = insist(
                lambda: self._store.join(self._run_id, lead.id, self._capabilities, limit, fitting.max_bytes),
                self._lease_deadline,
            )
            _log.info("companions joined", num_jobs=len(self._run.jobs), group_id=self._run.group_id)

    def _find_fitting(self, lead: Job) -> Fitting:
        """Ask the runner, which times a few steps; only once for jobs that share all that matters."""
        key = (insist(lambda: self._store.fusion_key(lead.id), self._lease_deadline), self._slot.device)
        if key not in self._around.fitting:
            self._runner.send(
                Fit(
                    spec=lead.resolved_spec,
                    num_members=self._settings.max_fused,
                    data_dir=str(self._settings.data_sets_dir),
                    device=self._slot.device,
                    num_threads=self._around.num_threads,
                    lease_s=self._lease_left_s(),
                )
            )
            fitting = self._wait_for_fitting()
            if fitting is None:  # the run will tell of what is wrong with the runner
                return Fitting(1, 0)
            self._around.fitting[key] = fitting
        return self._around.fitting[key]

    def _wait_for_fitting(self) -> Fitting | None:
        while not self._runner.drained() and not self._around.draining.is_set():
            for event in self._runner.receive(_TICK_S):
                if isinstance(event, Fitting):
                    return event
            now = time.monotonic()
            if now >= self._renew_at:
                self._renew(now)
            if now - self._started_at > _WARM_UP_TIMEOUT_S:
                self._runner.kill()
        return None

    def _prepare(self) -> None:
        """Begin with what earlier runs of the jobs left: their logs and their checkpoints."""
        owner = self._run.group_id or self._run.jobs[0].id
        self._checkpoints = RunCheckpoints(self._settings.checkpoints_dir, owner, self._run_id, self._run.jobs[0])
        self._members = {
            job.id: Member(job, RunDirectory(self._settings.data_dir, self._run_id, job.id)) for job in self._run.jobs
        }
        for member in self._members.values():
            if member.job.attempt > 1:
                earlier = insist(
                    lambda job=member.job: logged_lines(self._store, job.tenant, job.id),  # type: ignore[misc]
                    self._lease_deadline,
                )
                member.directory.begin_log(earlier)
        if not self._checkpoints.take_over():
            message = "The job's checkpoint is not on this node: it begins anew. Workers must share checkpoints."
            for job_id in self._members:
                self._outbox.add_warning(job_id, "checkpoint_missing", message)

    def _send_run(self) -> None:
        messages = [message for member in self._active() if (message := self._message(member)) is not None]
        is_alone = len(self._members) == 1
        if not messages:
            return
        self._runner.send(
            Run(
                run_id=self._run_id,
                members=messages,
                companions=self._run.companions or [message.key for message in messages],
                output=messages[0].log if is_alone else str(self._output.path.resolve()),
                checkpoints=str(self._checkpoints.path),
                accepted_step=self._checkpoints.accepted_step,
                max_checkpoint_bytes=self._settings.max_checkpoint_bytes,
                data_dir=str(self._settings.data_sets_dir),
                device=self._slot.device,
                num_threads=self._around.num_threads,
                lease_s=self._lease_left_s(),
            )
        )

    def _message(self, member: Member) -> RunMember | None:
        """What the runner is told of a job; None for one that cannot start."""
        source = member.job.resolved_spec.get("init_from")
        weights = None
        if source is not None:
            tenant, name = member.job.tenant, "model.safetensors"
            try:
                row = insist(lambda: self._store.artifact(tenant, source["job_id"], name), self._lease_deadline)
            except (JobNotFoundError, ArtifactNotFoundError):
                reason = make_reason(
                    Reason.INVALID_DATA, f"The weights of {source['job_id']}, to start from, are no longer there."
                )
                member.verdict = Verdict(JobState.FAILED, reason)
                return None
            weights = self._around.artifacts.path(row.sha256)
        return member.as_message(member.directory.log_path, weights)

    def _watch(self) -> bool:
        """Move records and look after the run until the runner says that it is over, or dies."""
        while True:
            for event in self._runner.receive(_TICK_S):
                if isinstance(event, Finished):
                    for member in self._members.values():
                        member.peak_memory_bytes = max(member.peak_memory_bytes, event.peak_memory_bytes)
                    return event.clean
                self._take(event)
            if self._runner.drained():
                self._judge_crash()
                return False
            self._settle_judged()
            if self._active():
                self._look_after()
            elif self._kill_at is None:
                # The run is over, and so is its lease: the runner need only say so.
                self._kill_at = time.monotonic() + self._settings.cancel_grace_s
            self._kill_if_late()

    def _take(self, event: Event) -> None:
        match event:
            case Started():
                self._start()
            case Wrote() if self._is_awaited(event.job_id):
                self._outbox.add(event)
            case Judging():
                self._judge_rung(event)
            case Ended() if self._is_awaited(event.job_id):
                member = self._members[event.job_id]
                self._tally(time.monotonic())
                member.verdict = self._verdict(member, event)

    def _is_awaited(self, job_id: str) -> bool:
        """What is still said of a job that has ended here, say by a cancel, is of no interest."""
        member = self._members.get(job_id)
        return member is not None and member.is_active

    def _verdict(self, member: Member, ended: Ended) -> Verdict:
        code = ended.reason["code"] if ended.reason else None
        if ended.of_the_pass and code in _PERHAPS_BY_COMPANY and len(self._members) > 1 and member.cause is None:
            assert ended.reason is not None, "a failure has a reason"
            return sent_back(f"The pass with {len(self._members) - 1} other job(s) failed: {ended.reason['message']}")
        return self._left(member, ended) or judge(ended, member.cause, member.resources)

    def _judge_crash(self) -> None:
        """The runner died without a word: what becomes of those that it trained."""
        returncode = self._runner.returncode
        assert returncode is not None, "only a dead runner is drained"
        oom_killed = count_oom_kills() > self._num_oom_kills
        self._tally(time.monotonic())
        for member in self._active():
            tail = member.directory.log_tail() or self._output.tail()
            crash = Crash(returncode, tail, oom_killed, self.started)
            member.verdict = judge(crash, member.cause, member.resources)

    def _judge_rung(self, judging: Judging) -> None:
        """Ask the sweep which of its members go on. The records that it decides by are stored first."""
        values = {job_id: value for job_id, value in judging.values.items() if self._is_awaited(job_id)}
        goes_on = insist(
            lambda: self._store.judge_rung(self._run_id, judging.epoch, values, decide) if values else {},
            self._lease_deadline,
        )
        self._runner.send(Judged(judging.epoch, [job_id for job_id, well in goes_on.items() if not well]))

    def _start(self) -> None:
        self._started_at = self._tallied_at = time.monotonic()
        self.started = True
        started = insist(lambda: self._store.start_all(self._run_id), self._lease_deadline)
        self._notify(started)
        if not all(started.values()):
            _log.info("not started: a cancel or a pause was quicker")
            self._check_requests()

    def _look_after(self) -> None:
        now = time.monotonic()
        if now >= self._renew_at:
            self._renew(now)
        if now >= self._poll_at:
            self._poll_at = now + _POLL_S
            self._tally(now)
            self._read_logs()
            self._check_limits(now)
            self._check_requests()
        self._flush()
        for member in self._active():
            if member.leave_by is not None and now >= member.leave_by:
                self._let_go(member)

    def _kill_if_late(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            for member in self._active():
                member.directory.write_log("killed: it did not stop in time")
            self._runner.kill()

    def _read_logs(self, *, to_the_end: bool = False, members: Sequence[Member] | None = None) -> None:
        """Take what is new in the logs: each job's own, and in all of them what the process printed."""
        output = self._output.new_lines(to_the_end=to_the_end)
        for member in self._active() if members is None else members:
            for line in output:
                member.directory.write_log(line)
            self._outbox.add_log(member.id, member.directory.log.new_lines(to_the_end=to_the_end))
            member.directory.cap_log(self._settings.max_log_bytes)

    def _notify(self, job_ids: Sequence[str] | dict[str, bool]) -> None:
        self._around.notifier.notify(*job_ids)

    def _lease_left_s(self) -> float:
        return max(0.0, self._lease_deadline - time.monotonic())

    def _renew(self, now: float) -> None:
        try:
            renewed = self._store.renew(self._run_id, self._settings.lease_s)
        except StoreUnavailableError:
            if now >= self._lease_deadline:
                raise
            return
        if not renewed:
            raise StaleRunError(self._run_id, ", ".join(self._members))
        self._lease_deadline = now + self._settings.lease_s
        self._renew_at = now + self._settings.lease_s / 3
        self._runner.send(Renew(self._settings.lease_s))

    def _tally(self, now: float) -> None:
        """Charge each active job its share of the device's time."""
        active = self._active()
        for member in active:
            member.device_s += (now - self._tallied_at) / len(active)
        self._tallied_at = now

    def _check_requests(self) -> None:
        if self._around.draining.is_set():
            self._stop_all(StopCause.DRAIN)
        try:
            # A plain read, unlike a renewal: three a second for each run cost a database nothing.
            states = self._store.states(self._run_id)
        except StoreUnavailableError:
            _log.warning("the database does not answer; a cancel would be seen later")
            return
        for member in self._active():
            if states.get(member.id) is JobState.CANCELLING:
                self._stop(member, StopCause.CANCEL)
            elif states.get(member.id) is JobState.PAUSING:
                self._stop(member, StopCause.PAUSE)

    def _check_limits(self, now: float) -> None:
        resident_bytes = self._runner.resident_bytes()
        if not self.started and now - self._started_at > _WARM_UP_TIMEOUT_S:
            for member in self._active():
                member.directory.write_log("killed: it did not come up in time")
            self._runner.kill()
        for member in self._active():
            member.peak_memory_bytes = max(member.peak_memory_bytes, resident_bytes)
            max_memory_bytes = member.resources["max_memory_bytes"]
            if max_memory_bytes is not None and resident_bytes > max_memory_bytes:
                self._stop(member, StopCause.MAX_MEMORY)
            earlier_s = member.job.usage["device_s"]
            if earlier_s + now - self._started_at > member.resources["max_runtime_s"]:
                self._stop(member, StopCause.MAX_RUNTIME)

    def _stop(self, member: Member, cause: StopCause) -> None:
        """Ask for the end of one job, once; a cancel outranks any other cause, being the user's word."""
        if member.cause is not None and (cause is not StopCause.CANCEL or member.cause is StopCause.CANCEL):
            return
        has_company = len(self._run.jobs) > 1 if cause in _LIMITS else len(self._active()) > 1
        if not has_company:
            self._stop_all(cause)
            return
        _log.info("taking a job out of its pass", job_id=member.id, cause=str(cause))
        member.cause = cause
        if cause is StopCause.CANCEL:
            self._runner.send(Leave(member.id, None))
            self._let_go(member)  # it has nothing to save, so nobody needs to wait
        else:
            member.leave_by = time.monotonic() + self._settings.drain_grace_s
            self._runner.send(Leave(member.id, str(self._checkpoints.apart(member.id))))

    def _let_go(self, member: Member) -> None:
        """End a member here, whether or not the runner has let go of it."""
        ended = Ended(member.id, "stopped")
        self._tally(time.monotonic())
        member.verdict = self._left(member, ended) or judge(ended, member.cause, member.resources)

    def _left(self, member: Member, ended: Ended) -> Verdict | None:
        """A limit that the company may be to blame for sends a job back, to train alone."""
        if member.leave_by is None or ended.outcome != "stopped":
            return None
        if member.cause is StopCause.MAX_MEMORY:
            limit = member.resources["max_memory_bytes"]
            return sent_back(f"The pass takes more than the job's resources.max_memory_bytes = {limit}.")
        if member.cause is StopCause.MAX_RUNTIME and member.used_s <= member.resources["max_runtime_s"]:
            limit_s = member.resources["max_runtime_s"]
            return sent_back(f"The pass takes longer than the job's resources.max_runtime_s = {limit_s:g}.")
        return None

    def _stop_all(self, cause: StopCause) -> None:
        """Ask the runner to stop."""
        active = [member for member in self._active() if member.cause is None or cause is StopCause.CANCEL]
        if not active or (self._is_stopping and cause is not StopCause.CANCEL):
            return
        _log.info("stopping the run", cause=str(cause))
        self._is_stopping = True
        for member in active:
            member.cause = cause
        kill_at = time.monotonic() + self._grace_s(cause)
        self._kill_at = kill_at if self._kill_at is None else min(self._kill_at, kill_at)
        self._runner.send(Stop(save=cause.saves))

    def _grace_s(self, cause: StopCause) -> float:
        if cause is StopCause.MAX_MEMORY:
            return 0.0
        return self._settings.drain_grace_s if cause.saves else self._settings.cancel_grace_s

    def _settle_judged(self) -> None:
        """Write what is left of the jobs that have ended, then their ends, all in one transaction."""
        judged = [member for member in self._members.values() if member.verdict is not None]
        if not judged:
            return
        self._read_logs(to_the_end=True, members=[*judged, *self._active()])
        for member in judged:
            assert member.verdict is not None, "it was judged"
            if member.verdict.reason is not None:
                reason = member.verdict.reason
                member.directory.write_log(f"{reason['code']}: {reason['message']}")
        self._read_logs(to_the_end=True, members=judged)
        self._renew(time.monotonic())
        insist(self._flush_all, self._lease_deadline)
        ends = [member.end(self._files(member)) for member in judged]
        states = insist(lambda: self._store.settle(self._run_id, ends), self._lease_deadline)
        for member in judged:
            usage = {"device_s": round(member.device_s, 3), "peak_memory_bytes": member.peak_memory_bytes}
            reason_code = member.verdict.reason["code"] if member.verdict and member.verdict.reason else None
            _log.info("ended", job_id=member.id, state=str(states[member.id]), reason=reason_code, **usage)
            del self._members[member.id]
            self._ended_states.append(states[member.id])
        self._notify(list(states))

    def _files(self, member: Member) -> list[ArtifactRow]:
        """Store the files of a job that ends; none of one that goes on later."""
        verdict = member.verdict
        assert verdict is not None, "it was judged"
        if verdict.state is JobState.QUEUED and verdict.last_reason is None:
            return []
        rows = insist(lambda: metrics_rows(self._store, member.job.tenant, member.id), self._lease_deadline)
        member.directory.write_metrics(rows)
        kept = []
        for path in member.directory.files(all_artifacts=verdict.state is JobState.SUCCEEDED):
            now = time.monotonic()
            if now >= self._renew_at:  # a large model takes a while to be on disk
                self._renew(now)
            kept.append(keep_file(self._around.artifacts, path))
        return kept

    def _clear_checkpoints(self) -> None:
        """Delete checkpoints that nobody goes on from; those of a job that failed or was cancelled stay for a while."""
        if self._run.is_whole and all(state is JobState.SUCCEEDED for state in self._ended_states):
            self._checkpoints.remove()

    def _flush(self) -> None:
        written = self._outbox.flush()
        if written:
            self._notify(written)
            if self._outbox.saved_step is not None:
                self._runner.send(Accepted(self._outbox.saved_step))
                if self._run.is_whole:
                    self._checkpoints.forget_earlier_runs()

    def _flush_all(self) -> None:
        self._flush()
        if not self._outbox.empty:
            raise StoreUnavailableError
