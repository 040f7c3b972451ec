"""The errors of the store.

JobsError
├── JobNotFoundError          no such job for this tenant
├── SweepNotFoundError        no such sweep for this tenant
├── DatasetNotFoundError      no such data set for this tenant
├── ArtifactNotFoundError     the job has no artifact of that name
├── ArtifactDamagedError      an artifact's file is not what was stored
├── IllegalActionError        the state of the job, sweep or data set does not allow what was asked
├── VersionChangedError       the job or data set has changed since the caller has seen it
├── IllegalTransitionError    a fault of ours: the table of states forbids the step
├── StaleRunError             the run is no longer the job's current one: its writes are refused
├── InvalidCursorError        a cursor that this list did not give out
├── IdempotencyMismatchError  the key was used for another body
├── IdempotencyBusyError      the key is in use by a call that has not ended
├── SettingsError             settings that cannot be used, a line for each
│   └── InvalidKeyError       the bootstrap key's file holds no key
├── UnmigratedDatabaseError   the tables are not those of this version
└── StoreUnavailableError     the database cannot be used for now, and why; trying again may help
"""

from collections.abc import Sequence

from jobs.outages import Outage


class JobsError(Exception):
    """Root of the package's errors."""


class JobNotFoundError(JobsError):
    """No such job for this tenant."""

    def __init__(self, job_id: str, newest: Sequence[str] = ()) -> None:
        super().__init__(f"There is no job {job_id!r:.80}.{_newest(newest)}")
        self.job_id = job_id


class SweepNotFoundError(JobsError):
    """No such sweep for this tenant."""

    def __init__(self, sweep_id: str, newest: Sequence[str] = ()) -> None:
        super().__init__(f"There is no sweep {sweep_id!r:.80}.{_newest(newest)}")
        self.sweep_id = sweep_id


class DatasetNotFoundError(JobsError):
    """No such data set for this tenant."""

    def __init__(self, dataset_id: str, newest: Sequence[str] = ()) -> None:
        super().__init__(f"There is no data set {dataset_id!r:.80}.{_newest(newest)}")
        self.dataset_id = dataset_id


def _newest(ids: Sequence[str]) -> str:
    return f" The newest that there are: {', '.join(ids)}." if ids else ""


class ArtifactNotFoundError(JobsError):
    """The job has no artifact of that name, or the name is not one that an artifact can have."""

    def __init__(self, name: str, there: Sequence[str] = ()) -> None:
        known = f"has {', '.join(there)}. Use one of these" if there else "has none yet. Wait until it has ended"
        super().__init__(f"There is no artifact {name!r}: the job {known}.")
        self.name = name
        self.there = list(there)


class ArtifactDamagedError(JobsError):
    """An artifact's file is lost, of another length or content, or cannot be read: a fault of the server's disk."""

    def __init__(self, name: str, how: str) -> None:
        super().__init__(f"The artifact {name!r} is damaged: {how}.")
        self.name = name
        self.how = how


class IllegalActionError(JobsError):
    """The state of the job, sweep or data set does not allow what was asked."""

    def __init__(self, action: str, state: str, remedy: str, what: str = "job") -> None:
        super().__init__(f"Cannot {action} a {what} that is {state}. {remedy}")
        self.action = action
        self.state = state


class VersionChangedError(JobsError):
    """The job or data set has changed, and the caller wants to change only what it has seen."""

    def __init__(self, row_id: str) -> None:
        super().__init__(f"{row_id} is another version by now. Read it again, and decide anew.")


class IllegalTransitionError(JobsError):
    """The table of states forbids the step: a fault of ours."""

    def __init__(self, job_id: str, before: str, after: str) -> None:
        super().__init__(f"{job_id}: {before} → {after} is not a legal transition.")


class StaleRunError(JobsError):
    """The run is no longer the job's current one: its writes are refused."""

    def __init__(self, run_id: int, job_id: str) -> None:
        super().__init__(f"Run {run_id} is not the current run of {job_id}; its writes are refused.")
        self.run_id = run_id
        self.job_id = job_id


class InvalidCursorError(JobsError):
    """A cursor that this list, in this order, did not give out."""

    def __init__(self) -> None:
        super().__init__("after must be a next_after of the same list in the same order.")


class IdempotencyMismatchError(JobsError):
    """The idempotency key was used for another body."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body. Use a new key for a new request.")


class IdempotencyBusyError(JobsError):
    """A call with this idempotency key has not ended yet."""

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still being served. Try again shortly.")


class SettingsError(JobsError):
    """Settings that cannot be used.

    Args:
        lines: For each setting: its variable, what is wanted, and what came.
    """

    EXIT_CODE = 2
    """Of a process that cannot start with them."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))


class InvalidKeyError(SettingsError):
    """The bootstrap key's file holds no key."""


class UnmigratedDatabaseError(JobsError):
    """The tables are not those of this version."""

    def __init__(self, found: str | None, expected: str) -> None:
        at = f"at revision {found}" if found else "empty"
        super().__init__(f"The database is {at}; this version needs revision {expected}. Run `regcore migrate` first.")
        self.found = found
        self.expected = expected


class StoreUnavailableError(JobsError):
    """The database cannot be used for now; `outage` says why, as far as is known."""

    def __init__(self, outage: Outage = Outage.NO_ANSWER) -> None:
        super().__init__(outage.value)
        self.outage = outage
