"""`Job`: the handle of one job on the server."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Self

import httpx2

from regclient.errors import IntegrityError, JobFailedError, WaitTimeoutError
from regclient.progress import job_progress
from regclient.transport import JSONObject, Transport

if TYPE_CHECKING:
    from torch import nn

    from regcore.predict import Predictor

TERMINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
# Lists leave these out; reading one fetches the whole job.
DETAIL_FIELDS = frozenset({"spec", "resolved_spec", "plan", "transitions"})
METRICS_PAGE_SIZE = 10_000
POLL_FIRST_S = 0.1
POLL_MAX_S = 0.5


class Job:
    """A job as last seen, and what can be done with it.

    Every field of the job is an attribute (`job.state`, `job.result["metrics"]`); those that a newer server adds
    are too. `refresh` and `wait` look again; `body` is the whole JSON.
    """

    id: str
    name: str | None
    labels: dict[str, str]
    priority: str
    state: str
    state_reason: JSONObject | None
    attempt: int
    progress: JSONObject
    created_at: str
    updated_at: str
    started_at: str | None
    finished_at: str | None
    transitions: list[JSONObject]
    spec: JSONObject
    resolved_spec: JSONObject
    plan: JSONObject
    warnings: list[JSONObject]
    result: JSONObject | None
    usage: JSONObject
    links: JSONObject

    def __init__(self, transport: Transport, body: JSONObject) -> None:
        self._transport = transport
        self.body = body

    def __getattr__(self, field: str) -> Any:
        # Only reached for what no attribute or method answers. `body` is absent while a copy is made.
        body = self.__dict__.get("body", {})
        if field in DETAIL_FIELDS and field not in body and "id" in body:
            body = self.refresh().body
        if field in body:
            return body[field]
        raise AttributeError(f"A job has no field {field!r}.")

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state}>"

    @property
    def done(self) -> bool:
        """Whether the last look saw it ended: succeeded, failed or cancelled."""
        return self.state in TERMINAL_STATES

    def refresh(self) -> Self:
        """Look again."""
        self.body = self._transport.request("GET", self._path()).json()
        return self

    def wait(self, timeout_s: float | None = None, *, progress: bool = True) -> Self:
        """Wait until the job has ended, in whatever way; `raise_for_state` tells success from the rest.

        Args:
            timeout_s: Give up after this long; None waits for ever.
            progress: Draw a bar, where there is a terminal to draw on.

        Raises:
            WaitTimeoutError: It has not ended in time. The job goes on.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with job_progress(enabled=progress) as bars:
            pause_s = POLL_FIRST_S
            while True:
                bars.show(self.refresh().body)
                if self.done:
                    return self
                if deadline is not None and time.monotonic() >= deadline:
                    raise WaitTimeoutError(self.id, self.state, timeout_s or 0.0)
                left_s = POLL_MAX_S if deadline is None else max(0.0, deadline - time.monotonic())
                time.sleep(min(pause_s, left_s))
                pause_s = min(POLL_MAX_S, pause_s * 1.5)

    def raise_for_state(self) -> Self:
        """Raise JobFailedError if the job, as last seen, failed or was cancelled; otherwise hand it on."""
        if self.state in ("failed", "cancelled"):
            raise JobFailedError(self.id, self.state, self.state_reason)
        return self

    def cancel(self) -> Self:
        """Ask for its end.

        Raises:
            ConflictError: It already succeeded or failed.
        """
        return self._act("cancel")

    def pause(self) -> Self:
        """Ask for a pause: it saves a checkpoint and frees its worker.

        Raises:
            ConflictError: It has ended, or is about to.
        """
        return self._act("pause")

    def resume(self) -> Self:
        """Put it back into the queue if it is paused; it goes on from its checkpoint.

        Raises:
            ConflictError: It has ended, or is about to.
        """
        return self._act("resume")

    def delete(self) -> None:
        """Remove it and its artifacts; only once it has ended."""
        self._transport.request("DELETE", self._path())

    def metrics(self, names: Sequence[str] | None = None) -> list[JSONObject]:
        """Every metrics row so far: `{seq, epoch, step, at, values}`.

        Args:
            names: Only these values, e.g. `["train/loss", "test/loss"]`.
        """
        params: dict[str, Any] = {"limit": METRICS_PAGE_SIZE}
        if names is not None:
            params["names"] = ",".join(names)
        return list(self._rows("metrics", params))

    def report(self) -> JSONObject:
        report: JSONObject = self._transport.request("GET", self._path("report")).json()
        return report

    def events(self, *, after: int = 0, follow: bool = True) -> Iterator[JSONObject]:
        """The job's records, `{seq, at, kind, body}`, in order and each once.

        Args:
            after: Start behind this `seq`.
            follow: Stay until the job has ended; a broken line is taken up again where it broke. False yields
                what there is and ends.
        """
        if not follow:
            yield from self._rows("events", {"after": after} if after else {})
            return
        seen = after
        failures = 0
        while True:
            try:
                for event in self._listen(seen):
                    seen, failures = event["seq"], 0
                    yield event
                # The server ends the stream after the terminal event (or says 204). Any other clean end is a
                # proxy's or a restart's.
                if self.refresh().done and seen >= self._last_seq(seen):
                    return
                self._transport.pause_before_retry(0, ConnectionError("the stream ended early"))
            except httpx2.TransportError as error:
                self._transport.pause_before_retry(failures, error)
                failures += 1

    def artifacts(self) -> list[JSONObject]:
        """The files: `{name, size_bytes, sha256, media_type, url}`."""
        artifacts: list[JSONObject] = self._transport.request("GET", self._path("artifacts")).json()["data"]
        return artifacts

    def download(self, directory: str | os.PathLike[str], names: Sequence[str] | None = None) -> list[Path]:
        """Save artifacts into a directory, each checked against its SHA-256 before it takes its name.

        Raises:
            FileNotFoundError: The job has no artifact of one of the names.
            IntegrityError: A file is not what the server announced.
        """
        known = {artifact["name"]: artifact for artifact in self.artifacts()}
        missing = sorted(set(names or ()) - set(known))
        if missing:
            raise FileNotFoundError(f"{self.id} has no artifact {', '.join(missing)}. It has: {', '.join(known)}.")
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        return [self._download_one(known[name], target) for name in (known if names is None else names)]

    def load_predictor(self) -> "Predictor":
        """Download the model, ready for raw rows: `job.load_predictor().predict(rows)`. Needs torch."""
        from regcore import load_predictor

        with tempfile.TemporaryDirectory(prefix="regcore-model-") as directory:
            self.download(directory, ["model.safetensors", "model.json"])
            return load_predictor(Path(directory))

    def load_model(self) -> "nn.Module":
        """Download the trained network as a torch module in evaluation mode. Needs torch."""
        return self.load_predictor().model

    def _act(self, action: str) -> Self:
        # Asking twice has the same effect as once, so the transport's retries need no Idempotency-Key here.
        self.body = self._transport.request("POST", self._path(action)).json()
        return self

    def _path(self, tail: str = "") -> str:
        return f"/v1/jobs/{self.id}/{tail}".rstrip("/")

    def _rows(self, tail: str, params: JSONObject) -> Iterator[JSONObject]:
        while True:
            page = self._transport.request("GET", self._path(tail), params=params).json()
            yield from page["data"]
            if not page["has_more"]:
                return
            params = {**params, "after": page["next_after"]}

    def _listen(self, after: int) -> Iterator[JSONObject]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if after:
            headers["Last-Event-ID"] = str(after)
        with self._transport.stream(self._path("events"), headers=headers) as response:
            if response.status_code == httpx2.codes.NO_CONTENT:
                return
            for event in httpx2.EventSource(response):
                if event.data:  # a block of only `retry:` comes without; to the standard it is no event at all
                    yield json.loads(event.data)

    def _last_seq(self, after: int) -> int:
        return max((row["seq"] for row in self._rows("events", {"after": after} if after else {})), default=after)

    def _download_one(self, artifact: JSONObject, directory: Path) -> Path:
        name = artifact["name"]
        if PurePosixPath(name).name != name or name in ("", ".", "..") or "\\" in name:
            raise IntegrityError(f"The server offers an artifact named {name!r}, which is not a plain file name.")
        partial = directory / f".{name}.partial"
        attempt = 0
        while True:
            try:
                digest = self._fetch(name, partial)
                break
            except httpx2.TransportError as error:
                self._transport.pause_before_retry(attempt, error)
                attempt += 1
        if digest != artifact["sha256"]:
            partial.unlink()
            raise IntegrityError(f"{name} arrived with SHA-256 {digest}; the server announced {artifact['sha256']}.")
        return partial.replace(directory / name)

    def _fetch(self, name: str, partial: Path) -> str:
        digest = hashlib.sha256()
        with self._transport.stream(self._path(f"artifacts/{name}")) as response, partial.open("wb") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
                digest.update(chunk)
        return digest.hexdigest()
