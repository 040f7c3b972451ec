"""`Client`: the door of the SDK."""

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from regclient.connection import find_connection
from regclient.handle import PAGE_SIZE, idempotency_header, path_of, rows
from regclient.job import Job
from regclient.sweep import Sweeps
from regclient.transport import JSONObject, Transport
from regcore.spec import JobSpec


class Client:
    """A connection to a RegCore server.

    `Client()` finds URL and key as the command line does: REGCORE_URL and REGCORE_API_KEY, else the files of
    a `regcore up` on this machine.

        with Client() as client:
            job = client.jobs.create(
                {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
            )
            print(job.wait().result["metrics"]["test/accuracy"])

    Args:
        url: The server, e.g. `http://127.0.0.1:8000`.
        api_key: `rc_…`.
        max_retries: How often a request is sent again after a connection error or a 503, with growing pauses.
            The default spans about twelve seconds.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, max_retries: int = 6) -> None:
        self._transport = Transport(find_connection(url, api_key), max_retries=max_retries)
        self.jobs = Jobs(self._transport)
        self.sweeps = Sweeps(self._transport)

    @property
    def url(self) -> str:
        return self._transport.url

    def catalogue(self, family: str) -> list[JSONObject]:
        """What the server offers: `regularizers`, `models`, `layers`, `optimizers` or `builtin-datasets`."""
        entries: list[JSONObject] = self._transport.request("GET", path_of(family)).json()["data"]
        return entries

    def workers(self) -> list[JSONObject]:
        """The workers that the server knows, with their slots and state."""
        workers: list[JSONObject] = self._transport.request("GET", "/v1/workers").json()["data"]
        return workers

    def compare(self, groups: Mapping[str, Sequence[Job | str]], metric: str = "test/loss") -> JSONObject:
        """Say which groups of jobs differ: `{metric, mode, groups, differences, correction}`.

        Every pair is compared, the earlier group as the baseline; jobs with the same seed are paired.

        Args:
            groups: By name, jobs or their ids, which should differ in nothing but their seeds.
            metric: What is compared, e.g. `test/loss` or `test/accuracy`.
        """
        named = [
            {"name": name, "job_ids": [job if isinstance(job, str) else job.id for job in jobs]}
            for name, jobs in groups.items()
        ]
        body = {"groups": named, "metric": metric}
        comparison: JSONObject = self._transport.request(
            "POST", "/v1/comparisons", json=body, headers=idempotency_header()
        ).json()
        return comparison

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Jobs:
    """The jobs of a server: `client.jobs`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, spec: JobSpec | Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Submit a job.

        A key is made for each call, so that a retry after a lost answer gives the same job. Give your own to
        make a script's rerun safe too.

        Raises:
            InvalidRequestError: The spec is wrong; `.errors` names the fields.
        """
        headers = idempotency_header(idempotency_key)
        response = self._transport.request("POST", "/v1/jobs", json=spec_json(spec), headers=headers)
        return Job(self._transport, response.json())

    def validate(self, spec: JobSpec | Mapping[str, Any]) -> JSONObject:
        """Check a spec without storing anything: `{valid, resolved_spec, plan, warnings}`.

        Raises:
            InvalidRequestError: Exactly where `create` would.
        """
        headers = idempotency_header()
        params = {"validate_only": "true"}
        response = self._transport.request("POST", "/v1/jobs", params=params, json=spec_json(spec), headers=headers)
        checked: JSONObject = response.json()
        return checked

    def get(self, job_id: str) -> Job:
        return Job(self._transport, self._transport.request("GET", path_of("jobs", job_id)).json())

    def list(
        self,
        *,
        state: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
        name: str | None = None,
        sweep_id: str | None = None,
        created_after: str | None = None,
        created_before: str | None = None,
        sort: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[Job]:
        """Every matching job, page after page; stop iterating and no further page is fetched.

        Args:
            state: One state or several.
            labels: All must match.
            name: The exact name.
            sweep_id: Only this sweep's members.
            created_after: A UTC time as the server writes it; `created_before` alike.
            sort: `created_at`, `-created_at`, `finished_at`, `-finished_at` or `name`.
            page_size: Jobs per request, at most 1,000.
        """
        filters: dict[str, Any] = {
            "state": state if isinstance(state, str) or state is None else ",".join(state),
            "label": [f"{key}:{value}" for key, value in (labels or {}).items()],
            "name": name,
            "sweep_id": sweep_id,
            "created_after": created_after,
            "created_before": created_before,
            "sort": sort,
            "limit": page_size,
        }
        params = {key: value for key, value in filters.items() if value not in (None, [])}
        for summary in rows(self._transport, "/v1/jobs", params):
            yield Job(self._transport, summary)

    def cancel(self, job_id: str) -> Job:
        """Ask for the job's end. It is over within about two seconds; `wait` to see it.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return self._act(job_id, "cancel")

    def pause(self, job_id: str) -> Job:
        """Ask for a pause: the job saves a checkpoint and frees its worker.

        Raises:
            ConflictError: It has ended, or is about to.
        """
        return self._act(job_id, "pause")

    def resume(self, job_id: str) -> Job:
        """Put a paused job back into the queue; it goes on from its checkpoint.

        Raises:
            ConflictError: It has ended, or is about to.
        """
        return self._act(job_id, "resume")

    def rerun(
        self,
        job_id: str,
        patch: Sequence[Mapping[str, Any]] = (),
        start_from: str = "scratch",
        *,
        idempotency_key: str | None = None,
    ) -> Job:
        """Submit a job again, changed; see `Job.rerun`."""
        return Job(self._transport, {"id": job_id}).rerun(patch, start_from, idempotency_key=idempotency_key)

    def delete(self, job_id: str) -> None:
        """Remove an ended job and its artifacts.

        Raises:
            ConflictError: It has not ended, or one that has not ended needs it; the message names that.
        """
        self._transport.request("DELETE", path_of("jobs", job_id))

    def _act(self, job_id: str, action: str) -> Job:
        headers = idempotency_header()
        response = self._transport.request("POST", path_of("jobs", job_id, action), headers=headers)
        return Job(self._transport, response.json())


def spec_json(spec: JobSpec | Mapping[str, Any]) -> JSONObject:
    """The request body of a spec; of a JobSpec only what was set: the defaults stay the server's."""
    if isinstance(spec, JobSpec):
        return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return dict(spec)
