"""What a run writes of one of its jobs."""

from collections.abc import Mapping, Sequence
from typing import Any

from jobs.model import ArtifactRow, JobEnd, Json, NewRecord
from jobs.states import JobState
from jobs.store import Store


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
    """To a terminal state."""
    end = JobEnd(job_id=job_id, state=state, reason=reason, result=result, usage=usage or {}, artifacts=artifacts)
    store.settle(run_id, [end])


def requeue(store: Store, run_id: int, job_id: str, usage: Mapping[str, Any] | None = None) -> JobState:
    """Back to the queue, as a drain does; or to where a user asked it to go."""
    end = JobEnd(job_id=job_id, state=JobState.QUEUED, usage=usage or {})
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
    """Its process was lost."""
    lost = JobEnd(
        job_id=job_id,
        state=JobState.QUEUED,
        reason=reason,
        last_reason=last_reason,
        usage=usage or {},
        artifacts=artifacts,
    )
    return store.settle(run_id, [lost])[job_id]
