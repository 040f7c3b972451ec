"""`Job`: the handle of one job on the server."""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import httpx2

from regclient.errors import APIError, IntegrityError, JobFailedError
from regclient.handle import TERMINAL_STATES, Handle, idempotency_header
from regclient.progress import Show, job_progress
from regclient.transport import JSONObject

if TYPE_CHECKING:
    from torch import nn

    from regcore.predict import Predictor

_MODEL_FILES = ("model.json", "model.safetensors")
METRICS_PAGE_SIZE = 10_000
DAMAGED = "artifact_damaged"
"""The code of the problem that a file is lost or not what was stored."""


class Job(Handle):
    """A job as last seen, and what can be done with it.

    Every field of the job is an attribute (`job.state`, `job.result["metrics"]`); those that a newer server adds
    are too. `refresh` and `wait` look again; `body` is the whole JSON.
    """

    kind = "job"
    collection = "jobs"
    detail_fields = frozenset({"spec", "resolved_spec", "plan", "transitions"})

    priority: str
    parent_job_id: str | None
    state_reason: JSONObject | None
    attempt: int
    progress: JSONObject
    updated_at: str
    started_at: str | None
    transitions: list[JSONObject]
    spec: JSONObject
    resolved_spec: JSONObject
    plan: JSONObject
    warnings: list[JSONObject]
    result: JSONObject | None
    usage: JSONObject

    def wait(self, timeout_s: float | None = None, *, progress: bool | Show = True) -> Self:
        """Wait until the job has ended, in whatever way; `raise_for_state` tells success from the rest.

        Args:
            timeout_s: Give up after this long; None waits for ever.
            progress: Draw a bar, where there is a terminal to draw on; or a function to call with the job's JSON at
                each look.

        Raises:
            WaitTimeoutError: It has not ended in time. The job goes on.
        """
        with job_progress(progress, fetch=lambda _, after: self.latest_metrics(after=after)) as show:
            return self._wait(timeout_s, show)

    def raise_for_state(self) -> Self:
        """Raise JobFailedError if the job, as last seen, failed or was cancelled; otherwise hand it on."""
        if self.state in ("failed", "cancelled"):
            raise JobFailedError(self.id, self.state, self.state_reason)
        return self

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

    def rerun(
        self,
        patch: Sequence[Mapping[str, Any]] = (),
        start_from: str = "scratch",
        *,
        idempotency_key: str | None = None,
    ) -> "Job":
        """Submit it again, changed; its `parent_job_id` is this job.

        Args:
            patch: JSON Patch (RFC 6902) of its `resolved_spec`; a suggestion of its report is one.
            start_from: `scratch`; `weights`: with those that it ended with; `checkpoint`: goes on where a failed or
                cancelled job was saved last.
            idempotency_key: As in `client.jobs.create`.

        Raises:
            ConflictError: It cannot start from there.
            InvalidRequestError: The patch, or the spec that it makes, is wrong; `.errors` names the places.
        """
        body = {"patch": [dict(operation) for operation in patch], "start_from": start_from}
        headers = idempotency_header(idempotency_key)
        return Job(
            self._transport, self._transport.request("POST", self._path("rerun"), json=body, headers=headers).json()
        )

    def metrics(self, names: Sequence[str] | None = None) -> list[JSONObject]:
        """Every metrics row so far: `{seq, epoch, step, at, values}`.

        Args:
            names: Only these values, e.g. `["train/loss", "test/loss"]`.
        """
        params: dict[str, Any] = {"limit": METRICS_PAGE_SIZE}
        if names is not None:
            params["names"] = ",".join(names)
        return list(self._rows("metrics", params))

    def latest_metrics(self, *, after: int = 0) -> JSONObject | None:
        """The newest metrics row, `{seq, epoch, step, at, values}`; None if there is none.

        Args:
            after: Only if its `seq` is greater: with that of the row before, little is read to find the next.
        """
        params = {"after": after, "max_points": 2}
        page = self._transport.request("GET", self._path("metrics"), params=params).json()
        return page["data"][-1] if page["data"] else None

    def report(self) -> JSONObject:
        return self._get("report")

    def events(self, *, after: int = 0, follow: bool = True) -> Iterator[JSONObject]:
        """The job's records, `{seq, at, kind, body}`, in order and each once.

        Args:
            after: Start behind this `seq`.
            follow: Stay until the job has ended; a broken line is taken up again where it broke. False yields
                what there is and ends.

        Raises:
            InvalidRequestError: `after` is beyond the last record of a job that goes on.
            NotFoundError: The job was deleted meanwhile.
        """
        if not follow:
            yield from self._rows("events", {"after": after} if after else {})
            return
        seen = after
        failures = 0
        while True:
            try:
                before, is_over = seen, False
                for event in self._listen(seen):
                    seen, failures, is_over = event["seq"], 0, _is_terminal(event)
                    yield event
                self.refresh()
                if is_over:
                    return
                # Any other clean end is a proxy's or a restart's. What a stream does not bring of a log that has ended
                # is read without one.
                if self.done and seen == before:
                    yield from self._rows("events", {"after": seen} if seen else {})
                    return
                self._transport.pause_before_retry(0, ConnectionError("the stream ended early"))
            except httpx2.TransportError as error:
                self._transport.pause_before_retry(failures, error)
                failures += 1

    def artifacts(self) -> list[JSONObject]:
        """The files: `{name, size_bytes, sha256, media_type, url}`."""
        artifacts: list[JSONObject] = self._get("artifacts")["data"]
        return artifacts

    def download(self, directory: str | os.PathLike[str], names: Sequence[str] | None = None) -> list[Path]:
        """Save artifacts into a directory, each checked against its SHA-256 before it takes its name.

        Raises:
            FileNotFoundError: The job has no artifact of one of the names.
            IntegrityError: Some files are damaged; `.names` has them, and `.saved` all others.
        """
        wanted = self._find(names)
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        saved: list[Path] = []
        damaged: dict[str, str] = {}
        for artifact in wanted:
            try:
                saved.append(self._save(artifact, target))
            except IntegrityError as error:
                damaged[artifact["name"]] = str(error)
        if damaged:
            others = f" The others are in {target}." if saved else ""
            raise IntegrityError(" ".join(damaged.values()) + others, list(damaged), saved)
        return saved

    def load_predictor(self) -> "Predictor":
        """Download the model, ready for raw rows: `job.load_predictor().predict(rows)`. Needs torch."""
        from regcore.predict import read_predictor

        # In memory: whatever ends this process, nothing is left on the disk.
        files = {name: io.BytesIO() for name in _MODEL_FILES}
        for artifact in self._find(_MODEL_FILES):
            self._receive(artifact, files[artifact["name"]])
        return read_predictor(lambda name: files[name].getvalue(), self.id)

    def load_model(self) -> "nn.Module":
        """Download the trained network as a torch module in evaluation mode. Needs torch."""
        return self.load_predictor().model

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

    def _find(self, names: Sequence[str] | None) -> list[JSONObject]:
        """The artifacts of these names, or all."""
        known = {artifact["name"]: artifact for artifact in self.artifacts()}
        missing = sorted(set(names or ()) - set(known))
        if missing:
            raise FileNotFoundError(f"{self.id} has no artifact {', '.join(missing)}. It has: {', '.join(known)}.")
        return [known[name] for name in (known if names is None else names)]

    def _save(self, artifact: JSONObject, directory: Path) -> Path:
        name = artifact["name"]
        if PurePosixPath(name).name != name or name in ("", ".", "..") or "\\" in name:
            raise IntegrityError(
                f"The server offers an artifact named {name!r}, which is not a plain file name.", [name]
            )
        partial = directory / f".{name}.partial"
        try:
            with partial.open("wb") as file:
                self._receive(artifact, file)
            return partial.replace(directory / name)
        finally:
            partial.unlink(missing_ok=True)

    def _receive(self, artifact: JSONObject, file: BinaryIO) -> None:
        """Write an artifact into a file, and compare it with what the server announced."""
        name, announced = artifact["name"], artifact["sha256"]
        attempt = 0
        try:
            while True:
                try:
                    digest = self._fetch(name, file)
                    break
                except httpx2.TransportError as error:
                    self._transport.pause_before_retry(attempt, error)
                    attempt += 1
        except APIError as error:
            if error.code != DAMAGED:
                raise
            raise IntegrityError(str(error.problem.get("detail") or error), [name]) from error
        if digest != announced:
            raise IntegrityError(f"{name} arrived with SHA-256 {digest}; the server announced {announced}.", [name])

    def _fetch(self, name: str, file: BinaryIO) -> str:
        file.seek(0)
        file.truncate()
        digest = hashlib.sha256()
        with self._transport.stream(self._path("artifacts", name)) as response:
            for chunk in response.iter_bytes():
                file.write(chunk)
                digest.update(chunk)
        return digest.hexdigest()


def _is_terminal(event: JSONObject) -> bool:
    return event["kind"] == "state" and event["body"]["state"] in TERMINAL_STATES
