"""Storing how jobs end: first the rest of their logs and records, then files and checkpoints, then their states."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count

from jobs.errors import StaleRunError
from jobs.logs import get_logger
from jobs.model import ArtifactRow, Settlement
from jobs.states import JobState
from worker.supervise.archive import keep_file, metrics_rows
from worker.supervise.live_job import LiveJob
from worker.supervise.live_run import LiveRun

_log = get_logger(__name__)


class Settling:
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
        judged = [job for job in live.jobs.values() if job.settlement is not None]
        if live.active() and not is_over:
            judged = [job for job in judged if not job.goes_back]
        if not judged:
            return
        self._end_logs(judged)
        live.lease.renew()
        live.insist_on_flush()
        for job in judged:
            if job.settlement is not None and job.settlement.state is not JobState.SUCCEEDED:
                live.checkpoints.keep_models_apart(job.id)
        if len(judged) < len(live.jobs):
            self._keep_checkpoints(judged)
        ends = [job.settled(self._files(job)) for job in judged]
        states = live.lease.insist(partial(self._store_ends, ends, count()))
        for job in judged:
            usage = {"device_s": round(job.device_s, 3), "peak_memory_bytes": job.peak_memory_bytes}
            reason_code = job.settlement.reason["code"] if job.settlement and job.settlement.reason else None
            _log.info("ended", job_id=job.id, state=str(states[job.id]), reason=reason_code, **usage)
            del live.jobs[job.id]
            self._states.append(states[job.id])
        live.notify(states)

    def clear_checkpoints(self) -> None:
        """Delete checkpoints that no job needs. Those of failed and cancelled jobs stay for a while, for reruns."""
        if self._live.run.is_whole and all(state is JobState.SUCCEEDED for state in self._states):
            self._live.checkpoints.remove()

    def _end_logs(self, judged: Sequence[LiveJob]) -> None:
        self._live.read_logs(to_the_end=True)
        for job in judged:
            if job.settlement is not None and job.settlement.reason is not None:
                reason = job.settlement.reason
                job.directory.write_log(f"{reason['code']}: {reason['message']}")
        self._live.read_logs(to_the_end=True, jobs=judged)

    def _keep_checkpoints(self, judged: Sequence[LiveJob]) -> None:
        """Give each job that ends its own link to the group's checkpoint: the jobs that train on delete the group's."""
        live = self._live
        for job in judged:
            assert job.settlement is not None, "it was judged"
            if job.is_saved_apart or job.settlement.state is JobState.SUCCEEDED:
                continue
            job.keeps_checkpoint = live.checkpoints.keep_apart(job.id, live.settings.max_checkpoint_bytes)
            if not job.keeps_checkpoint and job.settlement.state is JobState.QUEUED:
                message = "The job was not saved when it left the others, and will begin anew."
                live.outbox.add_warning(job.id, "checkpoint_missing", message)
        live.insist_on_flush()

    def _store_ends(self, ends: Sequence[Settlement], tries: Iterator[int]) -> dict[str, JobState]:
        """Store how jobs end. If an earlier try was committed without an answer, the jobs have left the run already."""
        is_first = next(tries) == 0
        store, run_id, live_jobs = self._live.store, self._live.run.run_id, self._live.jobs
        try:
            return store.settle(run_id, ends)
        except StaleRunError:
            rest = live_jobs.keys() - {end.job_id for end in ends}
            # Only while other jobs are left: losing the last job looks the same as an expired lease, which takes all
            # jobs from a run.
            if is_first or not rest or store.states(run_id).keys() != rest:
                raise
            rows = [live_jobs[end.job_id].row for end in ends]
            return {row.id: store.state(row.tenant, row.id) for row in rows}

    def _files(self, job: LiveJob) -> list[ArtifactRow]:
        """Store the files of a job that has ended; a job that will resume stores none."""
        live, settlement = self._live, job.settlement
        assert settlement is not None, "it was judged"
        if settlement.state is JobState.QUEUED and settlement.last_reason is None:
            return []
        rows = live.lease.insist(lambda: metrics_rows(live.store, job.row.tenant, job.id))
        job.directory.write_metrics(rows)
        kept = []
        for path in job.directory.files(all_artifacts=settlement.state is JobState.SUCCEEDED):
            live.lease.renew_if_due()  # writing a large model takes a while
            kept.append(keep_file(live.around.artifacts, path))
        return kept
