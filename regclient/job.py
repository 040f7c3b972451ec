"""`Job`: the handle of one job on the server."""

import io
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx2

from regclient.answers import JSONObject, read_event
from regclient.bodies import operations_of
from regclient.deadline import Deadline
from regclient.downloads import listed, receive, save_all
from regclient.errors import JobFailedError
from regclient.filters import Params, each_of, joined
from regclient.handle import LIST_FIELDS, TERMINAL_STATES, Handle, idempotency_header
from regclient.progress import Show, job_progress
from regclient.retries import Interruption

if TYPE_CHECKING:
    from torch import nn

    from regcore.predict import Predictor

EVENT_STREAM = "text/event-stream"
_MODEL_FILES = ("model.json", "model.safetensors")
METRICS_PAGE_SIZE = 10_000


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

    def wait(self, timeout_s: float | None = None, *, progress: bool | Show = True, check: bool = True) -> Self:
        """Wait until the job has ended. It outlives a restart of the server.

        Args:
            timeout_s: Give up after this long; None waits for ever, and 0 looks once.
            progress: Draw a bar, where there is a terminal to draw on; or a function to call with the job's JSON at
                each look.
            check: Raise if it failed or was cancelled; False hands it on however it ended.

        Raises:
            JobFailedError: It failed or was cancelled; `.reason` says why.
            WaitTimeoutError: It has not ended in time. The job goes on.
            ServerUnreachableError: The server has been away for two minutes.
        """
        with job_progress(progress, fetch=lambda _, after: self.latest_metrics(after=after)) as show:
            self._wait(timeout_s, show)
        return self.raise_for_state() if check else self

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
        body = {"patch": operations_of(patch), "start_from": start_from}
        headers = idempotency_header(idempotency_key)
        return Job(self._transport, self._transport.request("POST", self._path("rerun"), json=body, headers=headers))

    def metrics(self, names: Sequence[str] | None = None) -> list[JSONObject]:
        """Every metrics row so far: `{seq, epoch, step, at, values}`.

        Args:
            names: Only these values, e.g. `["train/loss", "test/loss"]`.
        """
        params: Params = {"limit": METRICS_PAGE_SIZE}
        if names is not None:
            params["names"] = joined("names", names)
        return list(self._rows("metrics", params))

    def latest_metrics(self, *, after: int = 0) -> JSONObject | None:
        """The newest metrics row, `{seq, epoch, step, at, values}`; None if there is none.

        Args:
            after: Only if its `seq` is greater: with that of the row before, little is read to find the next.
        """
        params: Params = {"after": after, "max_points": 2}
        found: list[JSONObject] = self._transport.request(
            "GET", self._path("metrics"), params=params, fields=LIST_FIELDS
        )["data"]
        return found[-1] if found else None

    def report(self) -> JSONObject:
        return self._get("report")

    def events(self, *, after: int = 0, follow: bool = True, timeout_s: float | None = None) -> Iterator[JSONObject]:
        """The job's records, `{seq, at, kind, body}`, in order and each once.

        Args:
            after: Start behind this `seq`.
            follow: Stay until the job has ended; a broken line is taken up again where it broke, also after a restart
                of the server. False yields what there is and ends.
            timeout_s: Give up after this long; None stays for ever.

        Raises:
            InvalidRequestError: `after` is beyond the last record of a job that goes on.
            NotFoundError: The job was deleted meanwhile.
            WaitTimeoutError: It has not ended in time. The job goes on.
        """
        deadline, state = Deadline(timeout_s), None
        with closing(self._follow(after) if follow else self._records(after)) as records:
            while True:
                # Not around the `yield`: what the caller does in between has deadlines of its own.
                with self._within(deadline, state):
                    record = next(records, None)
                if record is None:
                    return
                state = record["body"].get("state", self.state) if record["kind"] == "state" else state or self.state
                yield record

    def artifacts(self) -> list[JSONObject]:
        """The files: `{name, size_bytes, sha256, media_type, url}`."""
        return listed(self._transport, self.id)

    def download(
        self,
        directory: str | os.PathLike[str],
        names: Sequence[str] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> list[Path]:
        """Save artifacts into a directory, each checked against its SHA-256 before it takes its name.

        Args:
            directory: Made if absent. Several downloads into one at once do not disturb each other.
            names: Only these files.
            timeout_s: Give up after this long; None takes as long as it takes.

        Raises:
            FileNotFoundError: The job has no artifact of one of the names.
            IntegrityError: Some files are damaged; `.names` has them, and `.saved` all others.
            OSError: A file cannot be written.
            WaitTimeoutError: It has taken too long. What is saved by then is whole.
        """
        with self._within(Deadline(timeout_s)):
            return save_all(self._transport, self.id, self._find(names), Path(directory))

    def load_predictor(self) -> "Predictor":
        """Download the model, ready for raw rows: `job.load_predictor().predict(rows)`. Needs torch."""
        from regcore.predict import read_predictor

        # In memory: whatever ends this process, nothing is left on the disk.
        files = {name: io.BytesIO() for name in _MODEL_FILES}
        for artifact in self._find(_MODEL_FILES):
            receive(self._transport, self.id, artifact, files[artifact["name"]])
        return read_predictor(lambda name: files[name].getvalue(), self.id)

    def load_model(self) -> "nn.Module":
        """Download the trained network as a torch module in evaluation mode. Needs torch."""
        return self.load_predictor().model

    def _records(self, after: int) -> Generator[JSONObject]:
        """Those so far."""
        yield from self._rows("events", {"after": after} if after else {})

    def _follow(self, after: int) -> Generator[JSONObject]:
        """Those so far and those to come, over as many streams as it takes."""
        seen, attempts = after, self._transport.attempts(patient=True)
        while True:
            before, is_over = seen, False
            try:
                for event in self._listen(seen):
                    attempts.succeeded()
                    seen, is_over = event.get("seq", seen), _is_terminal(event)
                    yield event
            except Interruption as interruption:
                attempts.failed(interruption)
                continue
            self._look(patient=True)
            if is_over:
                return
            # Any other clean end is a proxy's or a restart's. What a stream does not bring of a log that has ended
            # is read without one.
            if self.done and seen == before:
                yield from self._records(seen)
                return
            attempts.pause()

    def _listen(self, after: int) -> Iterator[JSONObject]:
        """One stream, from behind `after` to where it ends."""
        headers = {"Accept": EVENT_STREAM, "Cache-Control": "no-cache"}
        if after:
            headers["Last-Event-ID"] = str(after)
        with self._transport.stream(self._path("events"), headers=headers, media_type=EVENT_STREAM) as response:
            if response.status_code == httpx2.codes.NO_CONTENT:
                return
            for sent in httpx2.EventSource(response):
                if not sent.data:  # a block of only `retry:` comes without; to the standard it is no event at all
                    continue
                event = read_event(response, sent.data)
                if event.get("seq", after + 1) > after:  # what was sent before the line broke is not sent twice
                    yield event

    def _find(self, names: Sequence[str] | None) -> list[JSONObject]:
        """The artifacts of these names, or all."""
        known = {artifact["name"]: artifact for artifact in self.artifacts()}
        wanted = list(known) if names is None else each_of(names)
        missing = sorted(set(wanted) - set(known))
        if missing:
            raise FileNotFoundError(f"{self.id} has no artifact {', '.join(missing)}. It has: {', '.join(known)}.")
        return [known[name] for name in wanted]


def _is_terminal(event: JSONObject) -> bool:
    return event["kind"] == "state" and event["body"].get("state") in TERMINAL_STATES
