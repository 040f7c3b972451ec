"""`Sweep`: the handle of one sweep on the server, and `Sweeps`, all of them: `client.sweeps`."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from regclient.answers import JSONObject
from regclient.bodies import object_of
from regclient.errors import SweepFailedError
from regclient.filters import PAGE_SIZE, Moment, State, list_params, no_state_is_asked_for
from regclient.handle import Handle, idempotency_header, rows
from regclient.job import Job
from regclient.progress import Show, sweep_progress
from regclient.transport import Transport


class Sweep(Handle):
    """A sweep as last seen, and what can be done with it.

    Every field of the sweep is an attribute (`sweep.counts`, `sweep.best["values"]`); those that a newer server adds
    are too. `refresh` and `wait` look again; `body` is the whole JSON.
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
        """Wait until the sweep has ended. It outlives a restart of the server.

        Args:
            timeout_s: Give up after this long; None waits for ever, and 0 looks once.
            progress: Draw a bar over the members, where there is a terminal to draw on; or a function to call with
                the sweep's JSON at each look.
            check: Raise if it failed or was cancelled; False hands it on however it ended.

        Raises:
            SweepFailedError: It failed, which means that every member failed, or was cancelled.
            WaitTimeoutError: It has not ended in time. The sweep goes on.
            ServerUnreachableError: The server has been away for two minutes.
        """
        with sweep_progress(progress) as show:
            self._wait(timeout_s, show)
        return self.raise_for_state() if check else self

    def raise_for_state(self) -> Self:
        """Raise SweepFailedError if the sweep, as last seen, failed or was cancelled; otherwise hand it on."""
        if self.state in ("failed", "cancelled"):
            raise SweepFailedError(self.id, self.state)
        return self

    def jobs(self, *, state: State = None) -> Iterator[Job]:
        """Its members, in the order of their making.

        Args:
            state: Only those in this state, or in one of several; in none of them is nothing.

        Raises:
            UsageError: An empty state.
        """
        if no_state_is_asked_for(state):
            return iter(())
        params = list_params(state=state, sweep_id=self.id, sort="created_at")
        return (Job(self._transport, summary) for summary in rows(self._transport, "/v1/jobs", params))

    def path(self) -> JSONObject:
        """What happens along its one numeric axis: `{points, best_value, one_standard_error_value, …}`.

        Raises:
            ConflictError: It has no such axis.
        """
        return self._get("path")

    def comparison(self) -> JSONObject:
        """Its variants, each at its best: `{metric, groups, differences, …}`.

        Raises:
            ConflictError: It has no variants.
        """
        return self._get("comparison")

    def ablation(self) -> JSONObject:
        """What each regularizer contributes: `{metric, full, contributions, …}`.

        Raises:
            ConflictError: It is no ablation.
        """
        return self._get("ablation")


class Sweeps:
    """The sweeps of a server: `client.sweeps`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Sweep:
        """Submit a sweep: every member is checked before any is stored.

        Args:
            spec: `base` is a job spec; see the guide for `axes`, `variants`, `seeds`, `strategy` and `objective`.
            idempotency_key: As in `client.jobs.create`.

        Raises:
            InvalidRequestError: The spec, or a member's, is wrong; `.errors` names the fields.
        """
        body, headers = object_of(spec, "the sweep's spec"), idempotency_header(idempotency_key)
        return Sweep(self._transport, self._transport.request("POST", "/v1/sweeps", json=body, headers=headers))

    def validate(self, spec: Mapping[str, Any]) -> JSONObject:
        """Check a sweep without storing anything.

        Raises:
            InvalidRequestError: Exactly where `create` would.
        """
        params, headers = {"validate_only": "true"}, idempotency_header()
        body = object_of(spec, "the sweep's spec")
        return self._transport.request("POST", "/v1/sweeps", params=params, json=body, headers=headers)

    def get(self, sweep_id: str) -> Sweep:
        """Look at a sweep.

        Raises:
            NotFoundError: There is none of this id.
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
        """Every matching sweep, the newest first, page after page; stop iterating and no further page is fetched.

        Args:
            labels: All must match.
            name: The exact name.
            created_after: A datetime with a time zone, or a UTC time as the server writes it; `created_before` alike.
            page_size: Sweeps per request, at most 1,000.

        Raises:
            UsageError: A filter is empty or not of its kind.
        """
        params = list_params(
            labels=labels, name=name, created_after=created_after, created_before=created_before, page_size=page_size
        )
        return (Sweep(self._transport, summary) for summary in rows(self._transport, "/v1/sweeps", params))

    def cancel(self, sweep_id: str) -> Sweep:
        """Ask for the end of every member that has not ended.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return Sweep.of_id(self._transport, sweep_id).cancel()

    def delete(self, sweep_id: str) -> None:
        """Remove an ended sweep with its members and their artifacts.

        Raises:
            ConflictError: It has not ended, or a job that has not ended needs one of its members.
        """
        Sweep.of_id(self._transport, sweep_id).delete()
