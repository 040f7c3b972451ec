"""Storing how jobs end: first the rest of their logs and records, then files and checkpoints, then their states."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count

from jobs.errors import StaleRunError
from jobs.logs import get_logger
from jobs.model import ArtifactRow, JobEnd
from jobs.states import JobState
from worker.supervise.archive import keep_file, metrics_rows
from worker.supervise.live_run import LiveRun
from worker.supervise.member import Member

_log = get_logger(__name__)


class Endings:
    """Ends the jobs of one run.

    Args:
        live: The run.
    """

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._states: list[JobState] = []

    def settle(self, *, is_over: bool = False) -> None:
        """Write the remaining records of the jobs that have ended, then store how they ended, in one transaction.

        Jobs that go back to the queue are stored together. Otherwise another worker could claim some of them and split
        the group.

        Args:
            is_over: Whether the runner will send nothing more about any job.
        """
        live = self._live
        judged = [member for member in live.members.values() if member.outcome is not None]
        if live.active() and not is_over:
            judged = [member for member in judged if not member.goes_back]
        if not judged:
            return
        self._end_logs(judged)
        live.lease.renew()
        live.insist_on_flush()
        if len(judged) < len(live.members):
            self._keep_checkpoints(judged)
        ends = [member.end(self._files(member)) for member in judged]
        states = live.lease.insist(partial(self._store_ends, ends, count()))
        for member in judged:
            usage = {"device_s": round(member.device_s, 3), "peak_memory_bytes": member.peak_memory_bytes}
            reason_code = member.outcome.reason["code"] if member.outcome and member.outcome.reason else None
            _log.info("ended", job_id=member.id, state=str(states[member.id]), reason=reason_code, **usage)
            del live.members[member.id]
            self._states.append(states[member.id])
        live.notify(states)

    def clear_checkpoints(self) -> None:
        """Delete checkpoints that no job needs. Those of failed and cancelled jobs stay for a while, for reruns."""
        if self._live.run.is_whole and all(state is JobState.SUCCEEDED for state in self._states):
            self._live.checkpoints.remove()

    def _end_logs(self, judged: Sequence[Member]) -> None:
        self._live.read_logs(to_the_end=True)
        for member in judged:
            if member.outcome is not None and member.outcome.reason is not None:
                reason = member.outcome.reason
                member.directory.write_log(f"{reason['code']}: {reason['message']}")
        self._live.read_logs(to_the_end=True, members=judged)

    def _keep_checkpoints(self, judged: Sequence[Member]) -> None:
        """Give each job that ends its own link to the group's checkpoint: the jobs that train on delete the group's."""
        live = self._live
        for member in judged:
            assert member.outcome is not None, "it was judged"
            if member.is_saved_apart or member.outcome.state is JobState.SUCCEEDED:
                continue
            member.keeps_checkpoint = live.checkpoints.keep_apart(member.id, live.settings.max_checkpoint_bytes)
            if not member.keeps_checkpoint and member.outcome.state is JobState.QUEUED:
                message = "The job was not saved when it left the others, and will begin anew."
                live.outbox.add_warning(member.id, "checkpoint_missing", message)
        live.insist_on_flush()

    def _store_ends(self, ends: Sequence[JobEnd], tries: Iterator[int]) -> dict[str, JobState]:
        """Store how jobs end. If an earlier try was committed without an answer, the jobs have left the run already."""
        is_first = next(tries) == 0
        store, run_id, members = self._live.store, self._live.run.run_id, self._live.members
        try:
            return store.settle(run_id, ends)
        except StaleRunError:
            rest = members.keys() - {end.job_id for end in ends}
            # Only while other jobs are left: losing the last job looks the same as an expired lease, which takes all
            # jobs from a run.
            if is_first or not rest or store.states(run_id).keys() != rest:
                raise
            jobs = [members[end.job_id].job for end in ends]
            return {job.id: store.state(job.tenant, job.id) for job in jobs}

    def _files(self, member: Member) -> list[ArtifactRow]:
        """Store the files of a job that has ended; a job that will resume stores none."""
        live, outcome = self._live, member.outcome
        assert outcome is not None, "it was judged"
        if outcome.state is JobState.QUEUED and outcome.last_reason is None:
            return []
        rows = live.lease.insist(lambda: metrics_rows(live.store, member.job.tenant, member.id))
        member.directory.write_metrics(rows)
        kept = []
        for path in member.directory.files(all_artifacts=outcome.state is JobState.SUCCEEDED):
            live.lease.renew_if_due()  # writing a large model takes a while
            kept.append(keep_file(live.around.artifacts, path))
        return kept
