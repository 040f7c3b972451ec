"""`Job`: the handle of one job on the server."""

import io
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx2

from regclient.display.progress import Show, job_progress
from regclient.downloads import listed, receive, save_all
from regclient.errors import JobFailedError
from regclient.filters import Params, each_of, joined
from regclient.handle import LIST_FIELDS, TERMINAL_STATES, Run, idempotency_header
from regclient.http.answers import JSONObject, is_record, read_event
from regclient.http.bodies import operations_of
from regclient.http.deadline import Deadline
from regclient.http.retries import Interruption
from regclient.own_data import post_spec
from regclient.predictions import needing_engine

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from regcore.predict import Predictor

EVENT_STREAM = "text/event-stream"
_MODEL_FILES = ("model.json", "model.safetensors")
METRICS_PAGE_SIZE = 10_000


class Job(Run):
    """A job as last fetched, with its methods.

    Every field of the job is an attribute (`job.state`, `job.result["metrics"]`), also those that a newer server adds.
    `refresh` and `wait` fetch it again; `body` is the whole JSON.
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
        """Wait until the job has ended. The wait continues through a restart of the server.

        Args:
            timeout_s: Give up after this time. None waits for ever; 0 asks once.
            progress: True draws a bar if there is a terminal; a function is called with the job's JSON each time it is
                fetched.
            check: Whether to raise if it failed or was cancelled; False returns it in any case.

        Raises:
            JobFailedError: It failed or was cancelled; `.reason` says why.
            WaitTimeoutError: It did not end in time. The job goes on.
            ServerUnreachableError: The server has been away for two minutes.
        """
        with job_progress(progress, fetch=lambda _, after: self.latest_metrics(after=after)) as show:
            self._wait(timeout_s, show)
        return self.raise_for_state() if check else self

    def raise_for_state(self) -> Self:
        """Return the job; raise JobFailedError if it had failed or was cancelled when last fetched."""
        if self.state in ("failed", "cancelled"):
            raise JobFailedError(self.id, self.state, self.state_reason)
        return self

    def pause(self) -> Self:
        """Ask the server to pause it: it saves a checkpoint and frees its worker.

        Raises:
            ConflictError: It has ended, or is about to.
        """
        return self._act("pause")

    def resume(self) -> Self:
        """Put it back into the queue if it is paused; it continues from its checkpoint.

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
            patch: JSON Patch (RFC 6902) of its `resolved_spec`, e.g. a suggestion of its report.
            start_from: `scratch`, `weights` (those it ended with), or `checkpoint` (a failed or cancelled job continues
                from its last one).
            idempotency_key: As in `client.jobs.create`.

        Raises:
            ConflictError: It cannot start from there.
            DatasetInvalidError: As `client.jobs.create`, for a file that the patch names.
            InvalidRequestError: The patch, or the spec that it makes, is wrong; `.errors` names the places.
        """
        body = {"patch": operations_of(patch), "start_from": start_from}
        headers = idempotency_header(idempotency_key)
        return Job(self._transport, post_spec(self._transport, self._path("rerun"), body, headers=headers))

    def metrics(self, names: Sequence[str] | None = None) -> list[JSONObject]:
        """Return every metrics row so far: `{seq, epoch, step, at, values}`.

        Args:
            names: Only these values, e.g. `["train/loss", "test/loss"]`.
        """
        params: Params = {"limit": METRICS_PAGE_SIZE}
        if names is not None:
            params["names"] = joined("names", names)
        return list(self._rows("metrics", params))

    def latest_metrics(self, *, after: int = 0) -> JSONObject | None:
        """Return the newest metrics row, `{seq, epoch, step, at, values}`; None if there is none.

        Args:
            after: Only a row with a greater `seq` counts. With the `seq` of the last known row, the server reads
                little.
        """
        params: Params = {"after": after, "max_points": 2}
        found: list[JSONObject] = self._transport.request(
            "GET", self._path("metrics"), params=params, fields=LIST_FIELDS
        )["data"]
        return found[-1] if found else None

    def report(self) -> JSONObject:
        return self._get("report")

    def events(self, *, after: int = 0, follow: bool = True, timeout_s: float | None = None) -> Iterator[JSONObject]:
        """Yield the job's records, `{seq, at, kind, body}`, in order and each once.

        Args:
            after: Begin after this `seq`.
            follow: Continue until the job has ended; after a broken connection or a restart of the server, resume where
                it broke. False yields the records so far.
            timeout_s: Give up after this time; None sets no limit.

        Raises:
            InvalidRequestError: `after` is beyond the last record of a job that has not ended.
            NotFoundError: The job was deleted meanwhile.
            WaitTimeoutError: It did not end in time. The job goes on.
        """
        deadline, state = Deadline(timeout_s), None
        with closing(self._follow(after) if follow else self._records(after)) as records:
            while True:
                # The deadline is not applied around `yield`: it must not limit what the caller does between records.
                with self._within(deadline, state):
                    record = next(records, None)
                if record is None:
                    return
                state = record["body"].get("state", self.state) if record["kind"] == "state" else state or self.state
                yield record

    def artifacts(self) -> list[JSONObject]:
        """Return the list of artifacts: `{name, size_bytes, sha256, media_type, url}`."""
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
            directory: Made if absent. Simultaneous downloads into it do not disturb each other.
            names: Only these files.
            timeout_s: Give up after this time; None sets no limit.

        Raises:
            FileNotFoundError: The job has no artifact with one of the names.
            IntegrityError: Some files are damaged: `.names` lists them, and `.saved` the others.
            OSError: A file cannot be written.
            WaitTimeoutError: It took too long. Files that are already saved are complete.
        """
        with self._within(Deadline(timeout_s)):
            return save_all(self._transport, self.id, self._find(names), Path(directory))

    def load_predictor(self) -> "Predictor":
        """Download the model, ready for raw rows: `job.load_predictor().predict(rows)`. Needs the engine.

        Raises:
            FileNotFoundError: The job has no model.
            UsageError: The engine is not installed here.
        """
        with needing_engine():
            from regcore.predict import read_predictor

        # In memory, so that no file is left on the disk, however this process ends.
        files = {name: io.BytesIO() for name in _MODEL_FILES}
        for artifact in self._find(_MODEL_FILES):
            receive(self._transport, self.id, artifact, files[artifact["name"]])
        return read_predictor(lambda name: files[name].getvalue(), self.id)

    def predict(self, rows: Any) -> "NDArray[Any]":
        """Download the model, and predict rows: labels as the file spells them, or numbers in the target's own unit.

        Each call downloads the model again; `load_predictor` keeps it, and has `predict_proba` too.

        Args:
            rows: A data frame, a list of dicts or lists, or the path of a file.

        Raises:
            InvalidDataError: The rows do not fit the model; a missing column is named.
        """
        return self.load_predictor().predict(rows)

    def load_model(self) -> "nn.Module":
        """Download the trained network as a torch module in evaluation mode. Needs torch."""
        return self.load_predictor().model

    def _records(self, after: int) -> Generator[JSONObject]:
        """Yield the records so far."""
        for record in self._rows("events", {"after": after} if after else {}):
            if not is_record(record):
                raise self._unexpected(f"an event that is not a record: {str(record)[:80]}")
            yield record

    def _follow(self, after: int) -> Generator[JSONObject]:
        """Yield the records so far and all later ones; each time a stream breaks, open another."""
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
            # A stream that ends without the terminal record was ended by a proxy or a restart. If the job has ended and
            # the stream brought nothing new, the rest is read as pages.
            if self.done and seen == before:
                yield from self._records(seen)
                return
            attempts.pause()

    def _listen(self, after: int) -> Iterator[JSONObject]:
        """Yield the events of one stream, from after `after` to its end."""
        headers = {"Accept": EVENT_STREAM, "Cache-Control": "no-cache"}
        if after:
            headers["Last-Event-ID"] = str(after)
        with self._transport.stream(self._path("events"), headers=headers, media_type=EVENT_STREAM) as response:
            if response.status_code == httpx2.codes.NO_CONTENT:
                return
            for sent in httpx2.EventSource(response):
                if not sent.data:  # a block with only `retry:` has no data; by the standard it is not an event
                    continue
                event = read_event(response, sent.data)
                if event.get("seq", after + 1) > after:  # not what came before the connection broke
                    yield event

    def _find(self, names: Sequence[str] | None) -> list[JSONObject]:
        """Return the artifacts with these names, or all."""
        known = {artifact["name"]: artifact for artifact in self.artifacts()}
        wanted = list(known) if names is None else each_of(names)
        missing = sorted(set(wanted) - set(known))
        if missing:
            raise FileNotFoundError(f"{self.id} has no artifact {', '.join(missing)}. It has: {', '.join(known)}.")
        return [known[name] for name in wanted]


def _is_terminal(event: JSONObject) -> bool:
    return event["kind"] == "state" and event["body"].get("state") in TERMINAL_STATES
