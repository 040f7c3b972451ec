"""Where in a job's log a reader is: `after`, or what an event stream resumes from."""

from api.errors import parameter_problem
from jobs.states import TERMINAL, JobState
from jobs.store import Store

MAX_SEQ = 2**31 - 1
LAST_EVENT_ID = "Last-Event-ID"


def state_behind(store: Store, tenant: str, job_id: str, after: int, parameter: str = "after") -> JobState:
    """Return a job's state, after making sure that there is something to wait for behind a place in its log.

    Behind the end of a log that has ended there is nothing, which is an answer. Of one that goes on, a reader would
    miss what comes before the place.

    Raises:
        JobNotFoundError: There is no such job.
        ProblemError: The place is beyond the end of a log that goes on.
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
    """Return the place that a stream resumes from.

    Raises:
        ProblemError: It is not the id of an event.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_SEQ):
        message = f"{LAST_EVENT_ID} must be the id of an event, a number; received {text!r:.80}. Leave it out to start."
        raise parameter_problem(LAST_EVENT_ID, message)
    return int(text)
