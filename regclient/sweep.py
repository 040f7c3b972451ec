"""`Sweep`: the handle of one sweep on the server, and `Sweeps`, all of them: `client.sweeps`."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

from regclient.errors import SweepFailedError
from regclient.handle import PAGE_SIZE, Handle, idempotency_header, path_of, rows
from regclient.job import Job
from regclient.progress import Show, sweep_progress
from regclient.transport import JSONObject, Transport


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

    def wait(self, timeout_s: float | None = None, *, progress: bool | Show = True) -> Self:
        """Wait until the sweep has ended, in whatever way; `raise_for_state` tells success from the rest.

        Args:
            timeout_s: Give up after this long; None waits for ever.
            progress: Draw a bar over the members, where there is a terminal to draw on; or a function to call with
                the sweep's JSON at each look.

        Raises:
            WaitTimeoutError: It has not ended in time. The sweep goes on.
        """
        with sweep_progress(progress) as show:
            return self._wait(timeout_s, show)

    def raise_for_state(self) -> Self:
        """Raise SweepFailedError if the sweep, as last seen, failed or was cancelled; otherwise hand it on."""
        if self.state in ("failed", "cancelled"):
            raise SweepFailedError(self.id, self.state)
        return self

    def jobs(self, *, state: str | None = None) -> Iterator[Job]:
        """Its members, in the order of their making.

        Args:
            state: Only those in this state.
        """
        params: JSONObject = {"sweep_id": self.id, "sort": "created_at", "limit": PAGE_SIZE}
        for summary in rows(self._transport, "/v1/jobs", params | ({"state": state} if state else {})):
            yield Job(self._transport, summary)

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
        headers = idempotency_header(idempotency_key)
        response = self._transport.request("POST", "/v1/sweeps", json=dict(spec), headers=headers)
        return Sweep(self._transport, response.json())

    def validate(self, spec: Mapping[str, Any]) -> JSONObject:
        """Check a sweep without storing anything.

        Raises:
            InvalidRequestError: Exactly where `create` would.
        """
        params, headers = {"validate_only": "true"}, idempotency_header()
        checked: JSONObject = self._transport.request(
            "POST", "/v1/sweeps", params=params, json=dict(spec), headers=headers
        ).json()
        return checked

    def get(self, sweep_id: str) -> Sweep:
        return Sweep(self._transport, self._transport.request("GET", path_of("sweeps", sweep_id)).json())

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[Sweep]:
        """Every sweep, page after page; stop iterating and no further page is fetched."""
        for summary in rows(self._transport, "/v1/sweeps", {"limit": page_size}):
            yield Sweep(self._transport, summary)

    def cancel(self, sweep_id: str) -> Sweep:
        """Ask for the end of every member that has not ended.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return Sweep(self._transport, {"id": sweep_id}).cancel()

    def delete(self, sweep_id: str) -> None:
        """Remove an ended sweep with its members and their artifacts.

        Raises:
            ConflictError: It has not ended, or a job that has not ended needs one of its members.
        """
        Sweep(self._transport, {"id": sweep_id}).delete()
