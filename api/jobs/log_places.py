"""A reader's place in a job's log: `after`, or where an event stream resumes."""

from api.http.errors import parameter_problem
from jobs.states import TERMINAL, JobState
from jobs.store import Store

MAX_SEQ = 2**31 - 1
LAST_EVENT_ID = "Last-Event-ID"


def state_behind(store: Store, tenant: str, job_id: str, after: int, parameter: str = "after") -> JobState:
    """Return a job's state, after a check of a place in its log.

    A place beyond the end is allowed if the job has ended: nothing follows. While a job goes on, the reader would miss
    the records before that place.

    Raises:
        JobNotFoundError: There is no such job.
        ProblemError: The place is beyond the end of the log of a job that goes on.
    """
    head = store.log_head(tenant, job_id)
    if after > head.last_seq and head.state not in TERMINAL:
        message = (
            f"{parameter} must be the seq of one of the job's records, the last of which is {head.last_seq}; received "
            f"{after}. Begin with one of them, or leave it out."
        )
        raise parameter_problem(parameter, message, "beyond_the_end")
    return head.state


def read_last_event_id(text: str) -> int:
    """Return the place from which a stream resumes.

    Raises:
        ProblemError: It is not the id of an event.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_SEQ):
        message = f"{LAST_EVENT_ID} must be the id of an event, a number; received {text!r:.80}. Leave it out to start."
        raise parameter_problem(LAST_EVENT_ID, message)
    return int(text)
