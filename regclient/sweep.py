"""`Sweep`, the handle of one sweep on the server, and `Sweeps`, the sweeps of a server."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from regclient.display.progress import Show, sweep_progress
from regclient.errors import SweepFailedError
from regclient.filters import PAGE_SIZE, Moment, State, list_params, no_state_is_asked_for
from regclient.handle import Run, idempotency_header, rows
from regclient.http.answers import JSONObject
from regclient.http.bodies import object_of
from regclient.http.transport import Transport
from regclient.job import Job
from regclient.own_data import post_spec


class Sweep(Run):
    """A sweep as last fetched, with its methods.

    Every field of the sweep is an attribute (`sweep.counts`, `sweep.best["values"]`), also those that a newer server
    adds. `refresh` and `wait` fetch it again; `body` is the whole JSON.
    """

    kind = "sweep"
    collection = "sweeps"
    detail_fields = frozenset({"spec", "best", "leaderboard"})

    spec: JSONObject
    counts: dict[str, int]
    num_members: int
    best: JSONObject | None
    leaderboard: list[JSONObject]

    def wait(self, timeout_s: float | None = None, *, progress: bool | Show = True, check: bool = True) -> Self:
        """Wait until the sweep has ended. The wait continues through a restart of the server.

        Args:
            timeout_s: Give up after this time. None waits for ever; 0 asks once.
            progress: True draws a bar of the members if there is a terminal; a function is called with the sweep's JSON
                each time it is fetched.
            check: Whether to raise if it failed or was cancelled; False returns it in any case.

        Raises:
            SweepFailedError: It failed (every member failed), or was cancelled.
            WaitTimeoutError: It did not end in time. The sweep goes on.
            ServerUnreachableError: The server has been away for two minutes.
        """
        with sweep_progress(progress) as show:
            self._wait(timeout_s, show)
        return self.raise_for_state() if check else self

    def raise_for_state(self) -> Self:
        """Return the sweep; raise SweepFailedError if it had failed or was cancelled when last fetched."""
        if self.state in ("failed", "cancelled"):
            raise SweepFailedError(self.id, self.state)
        return self

    def jobs(self, *, state: State = None) -> Iterator[Job]:
        """Yield its members in the order in which they were created.

        Args:
            state: Only members in this state, or in one of several. An empty list matches no member.

        Raises:
            UsageError: A state is an empty text.
        """
        if no_state_is_asked_for(state):
            return iter(())
        params = list_params(state=state, sweep_id=self.id, sort="created_at")
        return (Job(self._transport, summary) for summary in rows(self._transport, "/v1/jobs", params))

    def path(self) -> JSONObject:
        """Return the metrics along its one numeric axis: `{points, best_value, one_standard_error_value, …}`.

        Raises:
            ConflictError: It has no such axis.
        """
        return self._get("path")

    def comparison(self, metric: str | None = None, *, baseline: str | None = None) -> JSONObject:
        """Return the comparison of its variants, each at its best: `{metric, groups, differences, …}`.

        Args:
            metric: The metric to compare; by default the objective's, on the test split.
            baseline: A variant with which alone to compare each other one; by default every two are compared.

        Raises:
            ConflictError: It has no variants, or has not ended.
        """
        asked = {"metric": metric, "baseline": baseline}
        return self._get("comparison", {name: value for name, value in asked.items() if value} or None)

    def ablation(self) -> JSONObject:
        """Return what each regularizer contributes: `{metric, full, contributions, …}`.

        Raises:
            ConflictError: It is not an ablation.
        """
        return self._get("ablation")


class Sweeps:
    """The sweeps of a server: `client.sweeps`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Sweep:
        """Submit a sweep: every member is checked before any is stored. Files are uploaded as by `client.jobs.create`.

        Args:
            spec: `base` is a job spec; see the guide for `axes`, `variants`, `seeds`, `strategy` and `objective`.
            idempotency_key: As in `client.jobs.create`.

        Raises:
            InvalidRequestError: The spec, or a member's, is wrong; `.errors` names the fields.
        """
        body, headers = object_of(spec, "the sweep's spec"), idempotency_header(idempotency_key)
        return Sweep(self._transport, post_spec(self._transport, "/v1/sweeps", body, headers=headers))

    def validate(self, spec: Mapping[str, Any]) -> JSONObject:
        """Check a sweep without storing a job. Files are uploaded as by `create`.

        Raises:
            InvalidRequestError: Exactly where `create` would.
        """
        params, headers = {"validate_only": "true"}, idempotency_header()
        body = object_of(spec, "the sweep's spec")
        return post_spec(self._transport, "/v1/sweeps", body, params=params, headers=headers)

    def suggest(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        budget_s: float,
        model: Mapping[str, Any] | None = None,
        task: Mapping[str, Any] | None = None,
        seeds: Sequence[int] | None = None,
        after: Sweep | str | None = None,
    ) -> JSONObject:
        """Return a sweep that asks which regularizer helps: `{sweep, reason, estimate_s}`; `create` takes its `sweep`.

        Args:
            data: As in a job's spec. A file is uploaded.
            budget_s: About how long the sweep may take.
            model: As in a job's spec; by default a network that suits the number of rows.
            task: As in a job's spec.
            seeds: Exactly these; by default as many as the budget allows.
            after: A suggested sweep that has ended; the answer follows it, with its best two regularizers together.

        Raises:
            InvalidRequestError: The data or the model cannot be used; `.errors` names the fields.
        """
        asked = {
            "data": data,
            "budget_s": budget_s,
            "model": model,
            "task": task,
            "seeds": None if seeds is None else list(seeds),
            "after": after.id if isinstance(after, Sweep) else after,
        }
        body = {name: value for name, value in asked.items() if value is not None}
        return post_spec(self._transport, "/v1/sweep-suggestions", body, headers=idempotency_header())

    def get(self, sweep_id: str) -> Sweep:
        """Fetch a sweep.

        Raises:
            NotFoundError: There is no sweep with this id.
        """
        return Sweep.of_id(self._transport, sweep_id).refresh()

    def list(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        name: str | None = None,
        created_after: Moment = None,
        created_before: Moment = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[Sweep]:
        """Yield every matching sweep, the newest first. Pages are fetched as the iteration needs them.

        Args:
            labels: All must match.
            name: The exact name.
            created_after: A datetime with a time zone, or a UTC time as the server writes it; so is `created_before`.
            page_size: Sweeps per request, at most 1,000.

        Raises:
            UsageError: A filter is empty or of the wrong type. None means no filter.
        """
        params = list_params(
            labels=labels, name=name, created_after=created_after, created_before=created_before, page_size=page_size
        )
        return (Sweep(self._transport, summary) for summary in rows(self._transport, "/v1/sweeps", params))

    def cancel(self, sweep_id: str) -> Sweep:
        """Ask the server to cancel every member that has not ended.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return Sweep.of_id(self._transport, sweep_id).cancel()

    def delete(self, sweep_id: str) -> None:
        """Delete a sweep that has ended, with its members and their artifacts.

        Raises:
            ConflictError: It has not ended, or a job that has not ended needs one of its members.
        """
        Sweep.of_id(self._transport, sweep_id).delete()
