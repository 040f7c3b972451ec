"""`Dataset`, the handle of one uploaded table, and `Datasets`, the tables of a server."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Literal, Self

from regclient.display.upload_progress import UploadBar, upload_progress
from regclient.errors import DatasetInvalidError, UsageError
from regclient.filters import PAGE_SIZE, Moment, State, list_params, no_state_is_asked_for, required_text
from regclient.handle import Handle, rows
from regclient.http.answers import JSONObject
from regclient.http.bodies import is_encodable
from regclient.http.deadline import Deadline, within
from regclient.http.retries import Interruption
from regclient.http.transport import Transport
from regclient.uploads import Upload, ready_to_send

Header = Literal["auto", "yes", "no"]
HEADERS: tuple[Header, ...] = ("auto", "yes", "no")
MAX_NAME_LENGTH = 200


class Dataset(Handle):
    """An uploaded table as last fetched.

    Every field is an attribute (`dataset.state`, `dataset.columns`), also those that a newer server adds. `refresh`
    and `wait` fetch it again; `body` is the whole JSON.
    """

    kind = "data set"
    collection = "datasets"
    terminal_states = frozenset({"ready", "invalid"})
    detail_fields = frozenset({"columns", "warnings"})

    state_reason: JSONObject | None
    sha256: str
    size_bytes: int
    num_rows: int | None
    columns: list[JSONObject]
    warnings: list[JSONObject]

    was_sent = False
    """Whether the upload that returned this handle had to send the file."""

    def wait(self, timeout_s: float | None = None, *, progress: bool = True, check: bool = True) -> Self:
        """Wait until the server has read the file. The wait continues through a restart of the server.

        Args:
            timeout_s: Give up after this time. None waits for ever; 0 asks once.
            progress: Whether to show the time that it takes, if there is a terminal.
            check: Whether to raise if it is invalid; False returns it in any case.

        Raises:
            DatasetInvalidError: The file cannot be read as a table; `.reason` says why.
            WaitTimeoutError: It was not read in time. The server goes on.
            ServerUnreachableError: The server has been away for two minutes.
        """
        with upload_progress(progress) as bar:
            return self._wait_beside(bar, timeout_s, check=check)

    def raise_for_state(self, *, was_held: bool = False) -> Self:
        """Return the data set; raise DatasetInvalidError if it was invalid when last fetched.

        Args:
            was_held: Whether the server had read the file before it was to be uploaded; the error then says so.
        """
        if self.state == "invalid":
            raise DatasetInvalidError(self.id, self.body.get("name"), self.state_reason, was_held=was_held)
        return self

    def preview(self) -> JSONObject:
        """Return the first 20 rows as they were read: `{columns, rows}`.

        Raises:
            ConflictError: It is not ready.
        """
        return self._get("preview")

    def _wait_beside(self, bar: UploadBar, timeout_s: float | None, *, check: bool) -> Self:
        if not self.done:
            self._wait(timeout_s, bar.show_state)
        return self.raise_for_state() if check else self


class Datasets:
    """The tables of a server: `client.datasets`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self,
        source: Any,
        y: Any = None,
        *,
        name: str | None = None,
        header: Header = "auto",
        wait: bool = True,
        timeout_s: float | None = None,
        progress: bool = True,
    ) -> Dataset:
        """Upload a table, and wait until the server has read it.

        What the server holds already is not sent again. An interrupted upload leaves nothing on the server, and can
        simply be repeated.

            dataset = client.datasets.upload("rows.csv")
            data = {"kind": "dataset", "id": dataset.id, "target": "label"}
            client.jobs.create({"data": data, "model": {"kind": "mlp", "hidden": [32]}})

        Args:
            source: The path of a CSV, Parquet, JSON lines or NPZ file, perhaps compressed by gzip; `-` for stdin; a
                data frame of pandas, polars or Arrow; or an array of features.
            y: The array of targets, where `source` is an array.
            name: What to call it; by default the file's name.
            header: Whether the first row of a CSV file has the columns' names; `auto` finds out.
            wait: Whether to wait until it is ready; False returns it while it is still `validating`.
            timeout_s: Give up after this time, sending and waiting together; None sets no limit.
            progress: Whether to draw a bar, if there is a terminal.

        Raises:
            DatasetInvalidError: The file cannot be read as a table; `.reason` names row and column.
            FileChangedError: The file changed while it was sent.
            InvalidRequestError: The server refuses it, e.g. because it is too large.
            OSError: The file cannot be read.
            UsageError: An argument cannot be used.
            WaitTimeoutError: It took too long.
        """
        checked_header(header)
        deadline = Deadline(timeout_s)
        with within(deadline), upload_progress(progress) as bar:
            with _prepared(source, y, bar) as upload:
                found = self._held(upload, header) or self._send(upload, name, header, bar)
            if wait:
                was_held = found.state == "invalid" and not found.was_sent
                found._wait_beside(bar, None, check=False).raise_for_state(was_held=was_held)
            return found

    def get(self, dataset_id: str) -> Dataset:
        """Fetch a data set.

        Raises:
            NotFoundError: There is no data set with this id.
        """
        return Dataset.of_id(self._transport, dataset_id).refresh()

    def list(
        self,
        *,
        state: State = None,
        name: str | None = None,
        sha256: str | None = None,
        created_after: Moment = None,
        created_before: Moment = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[Dataset]:
        """Yield every matching data set, the newest first. Pages are fetched as the iteration needs them.

        Args:
            state: `validating`, `ready` or `invalid`, or several of them. An empty list matches none.
            name: The exact name.
            sha256: Only what has these bytes.
            created_after: A datetime with a time zone, or a UTC time as the server writes it; so is `created_before`.
            page_size: Data sets per request, at most 1,000.

        Raises:
            UsageError: A filter is empty or of the wrong type. None means no filter.
        """
        if no_state_is_asked_for(state):
            return iter(())
        params = list_params(
            state=state,
            name=name,
            sha256=sha256,
            created_after=created_after,
            created_before=created_before,
            page_size=page_size,
        )
        return (Dataset(self._transport, summary) for summary in rows(self._transport, "/v1/datasets", params))

    def delete(self, dataset_id: str) -> None:
        """Delete a data set. Its bytes go once no job needs them.

        Raises:
            ConflictError: A job that has not ended needs it.
        """
        Dataset.of_id(self._transport, dataset_id).delete()

    def _held(self, upload: Upload, header: Header, *, patient: bool = False) -> Dataset | None:
        """Return the data set that the server has already made of these bytes, read in this way."""
        params = list_params(sha256=upload.sha256)
        for summary in rows(self._transport, "/v1/datasets", params, patient=patient):
            held = Dataset(self._transport, summary)
            # What could not be read may be readable as another format, as of a file that was renamed.
            is_other = held.state == "invalid" and held.body.get("format", upload.format) != upload.format
            if held.body.get("header", header) == header and not is_other:
                return held._look(patient=patient)
        return None

    def _send(self, upload: Upload, name: str | None, header: Header, bar: UploadBar) -> Dataset:
        """Send a file, anew after each failure; what arrived although its answer was lost is not sent again.

        A large file is worth the patience of a wait: a server that restarts meanwhile is waited for.
        """
        params = {"header": header} | _name_of(upload, name)
        attempts = self._transport.attempts(patient=True)
        while True:
            try:
                body = self._transport.send_file(
                    "/v1/datasets",
                    upload.body(bar.sending(upload.size_bytes)),
                    size_bytes=upload.size_bytes,
                    media_type=upload.media_type,
                    params=params,
                )
                break
            except Interruption as interruption:
                attempts.failed(interruption)
            held = self._held(upload, header, patient=True)
            if held is not None:
                return held
        sent = Dataset(self._transport, body)
        sent.was_sent = True
        return sent


def checked_header(header: Any) -> Header:
    """Return the value of `header`.

    Raises:
        UsageError: It is not one of `HEADERS`.
    """
    for known in HEADERS:
        if header == known:
            return known
    raise UsageError(f"header: expected one of {', '.join(HEADERS)}; received {header!r}.")


def _prepared(source: Any, y: Any, bar: UploadBar) -> AbstractContextManager[Upload]:
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    return ready_to_send(source, y, bar.reading(name))


def _name_of(upload: Upload, given: str | None) -> dict[str, str]:
    """Return the name as a parameter of the query; none if a file's own name is no name that the server accepts.

    Raises:
        UsageError: The given name is no text.
    """
    if given is not None:
        return {"name": required_text("name", given)}
    name = upload.name or ""
    is_plain = is_encodable(name) and name.isprintable() and name.strip() == name and len(name) <= MAX_NAME_LENGTH
    return {"name": name} if name and is_plain else {}
