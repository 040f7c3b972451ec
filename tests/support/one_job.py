"""The jobs of a run, and shortcuts for what a run writes about one job."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.model import ArtifactRow, ClaimedRun, Job, Json, NewRecord, Settlement
from jobs.states import JobState, Reason, make_reason
from jobs.store import Store


def ids_of(run: ClaimedRun | None) -> list[str]:
    return [job.id for job in run.jobs] if run is not None else []


def saved(step: int, **more: object) -> NewRecord:
    """Return the record of a saved checkpoint."""
    return NewRecord("checkpoint", {"step": step, "name": f"step-{step}", **more}, 1.0)


def lost(job: Job) -> Settlement:
    """Return the end of a job whose runner was killed."""
    reason = make_reason(Reason.WORKER_LOST, "The runner died.", details={"signal": "SIGKILL"})
    return Settlement(job_id=job.id, state=JobState.QUEUED, reason=reason, last_reason=make_reason(Reason.POISONED))


def append(store: Store, run_id: int, job_id: str, new_records: Sequence[NewRecord]) -> None:
    store.append_all(run_id, {job_id: new_records})


def finish(
    store: Store,
    run_id: int,
    job_id: str,
    state: JobState,
    reason: Json | None = None,
    result: Json | None = None,
    usage: Mapping[str, Any] | None = None,
    artifacts: Sequence[ArtifactRow] = (),
) -> None:
    """Bring the job to a terminal state."""
    end = Settlement(job_id=job_id, state=state, reason=reason, result=result, usage=usage or {}, artifacts=artifacts)
    store.settle(run_id, [end])


def requeue(store: Store, run_id: int, job_id: str, usage: Mapping[str, Any] | None = None) -> JobState:
    """Return the job to the queue, as a drain does, or put it into the state that a user has requested."""
    end = Settlement(job_id=job_id, state=JobState.QUEUED, usage=usage or {})
    return store.settle(run_id, [end])[job_id]


def lose(
    store: Store,
    run_id: int,
    job_id: str,
    reason: Json,
    last_reason: Json,
    usage: Mapping[str, Any] | None = None,
    artifacts: Sequence[ArtifactRow] = (),
) -> JobState:
    """Settle the job as one whose process was lost."""
    lost = Settlement(
        job_id=job_id,
        state=JobState.QUEUED,
        reason=reason,
        last_reason=last_reason,
        usage=usage or {},
        artifacts=artifacts,
    )
    return store.settle(run_id, [lost])[job_id]
