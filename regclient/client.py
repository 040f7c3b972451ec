"""`Client`, the entry point of the SDK, and `Jobs`, the jobs of a server."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from regclient.datasets import Datasets
from regclient.errors import KeyInClearWarning, UsageError
from regclient.filters import PAGE_SIZE, Moment, State, each_of, list_params, no_state_is_asked_for
from regclient.handle import LIST_FIELDS, idempotency_header, path_of, rows
from regclient.http.answers import JSONObject
from regclient.http.bodies import object_of
from regclient.http.connection import Connection, find_connection
from regclient.http.deadline import Deadline, within
from regclient.http.transport import Transport
from regclient.job import Job
from regclient.own_data import post_spec
from regclient.sweep import Sweeps

if TYPE_CHECKING:
    from regcore import JobSpec


class Client:
    """A connection to a RegCore server.

    `Client()` finds URL and key as the command line does: REGCORE_URL and REGCORE_API_KEY, else the files of
    a `regcore up` on this machine.

        with Client() as client:
            job = client.jobs.create(
                {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
            )
            print(job.wait().result["metrics"]["test/accuracy"])

    Threads may share a client. After a fork, the child opens connections of its own. A client cannot be pickled: give
    ids to a process that is started in another way.

    Args:
        url: The server, e.g. `http://127.0.0.1:8000`.
        api_key: `rc_…`.
        max_retries: How often a request is sent again after a connection error, a 408, 429, 502, 503 or 504, with
            growing pauses. The default spans about twelve seconds. Waiting for a job's end continues through two
            minutes of such failures, unless max_retries is 0.

    Raises:
        UsageError: The URL, the key, or a variable of the environment about them or about proxies cannot be used.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, max_retries: int = 6) -> None:
        self._start(find_connection(url, api_key), max_retries)

    @classmethod
    def of(cls, connection: Connection, *, max_retries: int = 6) -> Self:
        """Return a client for a connection that was already resolved."""
        client = cls.__new__(cls)
        client._start(connection, max_retries)
        return client

    def _start(self, connection: Connection, max_retries: int) -> None:
        self._transport = Transport(connection, max_retries=max_retries)
        self.jobs = Jobs(self._transport)
        self.sweeps = Sweeps(self._transport)
        self.datasets = Datasets(self._transport)
        if connection.api_key and connection.url.startswith("http:") and not connection.is_local:
            warnings.warn(
                f"The key travels in clear to {connection.url}: everybody on the way can read it. Use https.",
                KeyInClearWarning,
                stacklevel=3,
            )

    def __repr__(self) -> str:
        return f"<Client {self.url}>"

    @property
    def url(self) -> str:
        return self._transport.url

    @contextmanager
    def deadline(self, timeout_s: float | None) -> Iterator[None]:
        """Limit the time of all calls inside together, with their waits and retries.

            with client.deadline(10):
                job = client.jobs.get(job_id)
                job.wait()

        Args:
            timeout_s: Seconds from now; None sets no limit. Inside another deadline, the earlier one counts.

        Raises:
            WaitTimeoutError: What was waited for had not ended, or nothing answered, in time.
        """
        with within(Deadline(timeout_s)):
            yield

    def catalogue(self, family: str) -> list[JSONObject]:
        """Return what the server offers: `regularizers`, `models`, `layers`, `optimizers` or `builtin-datasets`.

        Raises:
            UsageError: This is not the name of a family.
        """
        if not _FAMILY.fullmatch(str(family)):
            raise UsageError(f"family: expected a name such as 'regularizers' or 'models', received {family!r}.")
        return self._list(path_of(family))

    def workers(self) -> list[JSONObject]:
        """Return the workers that the server knows, with their slots and state."""
        return self._list("/v1/workers")

    def compare(self, groups: Mapping[str, Sequence[Job | str]], metric: str = "test/loss") -> JSONObject:
        """Compare groups of jobs: `{metric, mode, groups, differences, correction}`.

        Every two groups are compared, the earlier one as the baseline; jobs with the same seed are paired.

        Args:
            groups: The jobs, or their ids, by the group's name. The jobs of a group should differ only in their seeds.
            metric: The metric to compare, e.g. `test/loss` or `test/accuracy`.
        """
        named = [
            {"name": name, "job_ids": [job.id if isinstance(job, Job) else job for job in each_of(jobs)]}
            for name, jobs in groups.items()
        ]
        body = {"groups": named, "metric": metric}
        return self._transport.request("POST", "/v1/comparisons", json=body, headers=idempotency_header())

    def _list(self, path: str) -> list[JSONObject]:
        entries: list[JSONObject] = self._transport.request("GET", path, fields=LIST_FIELDS)["data"]
        return entries

    def close(self) -> None:
        """Close the connections; later calls raise ClientClosedError."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_FAMILY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Jobs:
    """The jobs of a server: `client.jobs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, spec: "JobSpec | Mapping[str, Any]", *, idempotency_key: str | None = None) -> Job:
        """Submit a job.

        Each call gets a new idempotency key, so that a retry after a lost answer gives the same job. Pass your own to
        get the same job when a script is run again.

        With `data.kind` `file`, the file is uploaded first, unless the server has it already. A data set that the
        server is still reading is waited for; `client.deadline` limits the time.

        Raises:
            DatasetInvalidError: The file cannot be read as a table; `.reason` names row and column.
            InvalidRequestError: The spec is wrong; `.errors` names the fields.
        """
        headers = idempotency_header(idempotency_key)
        return Job(self._transport, post_spec(self._transport, "/v1/jobs", spec_json(spec), headers=headers))

    def validate(self, spec: "JobSpec | Mapping[str, Any]") -> JSONObject:
        """Check a spec without storing a job: `{valid, resolved_spec, plan, warnings}`.

        Files are uploaded as by `create`.

        Raises:
            DatasetInvalidError: As `create`.
            InvalidRequestError: Exactly where `create` would.
        """
        headers = idempotency_header()
        params = {"validate_only": "true"}
        return post_spec(self._transport, "/v1/jobs", spec_json(spec), params=params, headers=headers)

    def get(self, job_id: str) -> Job:
        """Fetch a job.

        Raises:
            NotFoundError: There is no job with this id.
        """
        return Job.of_id(self._transport, job_id).refresh()

    def list(
        self,
        *,
        state: State = None,
        labels: Mapping[str, str] | None = None,
        name: str | None = None,
        sweep_id: str | None = None,
        dataset_id: str | None = None,
        created_after: Moment = None,
        created_before: Moment = None,
        sort: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[Job]:
        """Yield every matching job. Pages are fetched as the iteration needs them.

        Args:
            state: One state or several. An empty list matches no job.
            labels: All must match.
            name: The exact name.
            sweep_id: Only this sweep's members.
            dataset_id: Only those that train on this data set.
            created_after: A datetime with a time zone, or a UTC time as the server writes it; so is `created_before`.
            sort: `created_at`, `-created_at`, `finished_at`, `-finished_at` or `name`.
            page_size: Jobs per request, at most 1,000.

        Raises:
            UsageError: A filter is empty or of the wrong type. None means no filter.
        """
        if no_state_is_asked_for(state):
            return iter(())
        params = list_params(
            state=state,
            labels=labels,
            name=name,
            sweep_id=sweep_id,
            dataset_id=dataset_id,
            created_after=created_after,
            created_before=created_before,
            sort=sort,
            page_size=page_size,
        )
        return (Job(self._transport, summary) for summary in rows(self._transport, "/v1/jobs", params))

    def cancel(self, job_id: str) -> Job:
        """Ask the server to cancel the job. It ends within about two seconds; `wait` waits for that.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return Job.of_id(self._transport, job_id).cancel()

    def pause(self, job_id: str) -> Job:
        """Ask the server to pause the job, which saves a checkpoint and frees its worker.

        Raises:
            ConflictError: It has ended, or is about to.
        """
        return Job.of_id(self._transport, job_id).pause()

    def resume(self, job_id: str) -> Job:
        """Put a paused job back into the queue; it continues from its checkpoint.

        Raises:
            ConflictError: It has ended, or is about to.
        """
        return Job.of_id(self._transport, job_id).resume()

    def rerun(
        self,
        job_id: str,
        patch: Sequence[Mapping[str, Any]] = (),
        start_from: str = "scratch",
        *,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit a job again, changed; see `Job.rerun`."""
        return Job.of_id(self._transport, job_id).rerun(patch, start_from, idempotency_key=idempotency_key)

    def delete(self, job_id: str) -> None:
        """Delete a job that has ended, and its artifacts.

        Raises:
            ConflictError: It has not ended, or a job that has not ended needs it; the message names that job.
        """
        Job.of_id(self._transport, job_id).delete()


def spec_json(spec: "JobSpec | Mapping[str, Any]") -> JSONObject:
    """Return the request body of a spec. A JobSpec gives only the fields that were set: the server has the defaults."""
    if isinstance(spec, BaseModel):
        return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return object_of(spec, "the spec")
