"""Specs that name the user's own tables: a `file` is uploaded first, a `dataset` is waited for until it is ready."""

from collections.abc import Iterator, Mapping
from typing import Any

from regclient.datasets import Dataset, Datasets, checked_header
from regclient.errors import ConflictError
from regclient.http.answers import JSONObject
from regclient.http.transport import Transport
from regclient.ids import is_id

NOT_READY = "dataset_not_ready"
"""The code of the server's problem that it is still reading a data set."""

_FIELDS_OF_FILE = ("kind", "path", "header")
_MAX_LEVELS = 200  # as in `encode_body`, which refuses what is nested deeper


def post_spec(
    transport: Transport,
    path: str,
    body: Mapping[str, Any],
    *,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONObject:
    """POST a spec, or a patch of one; files in it are uploaded before, and data sets in it are waited for.

    Raises:
        DatasetInvalidError: One cannot be read as a table.
        APIError: The server refuses the spec.
    """
    sent = upload_files(Datasets(transport), body)
    try:
        return transport.request("POST", path, params=params, json=sent, headers=headers)
    except ConflictError as error:
        if error.code != NOT_READY:
            raise
    for dataset_id in dict.fromkeys(_ids_in(sent, 0)):
        Dataset.of_id(transport, dataset_id).refresh().wait()
    return transport.request("POST", path, params=params, json=sent, headers=headers)


def upload_files(datasets: Datasets, spec: Mapping[str, Any], *, progress: bool = True) -> JSONObject:
    """Return a spec with every `{"kind": "file", "path": …}` uploaded, and `dataset` with its id in its place.

    Args:
        datasets: The tables of the server.
        spec: The spec of a job or a sweep, or a body with a patch of one; it is not modified. A relative path starts at
            the working directory.
        progress: Whether to draw a bar, if there is a terminal.

    Raises:
        DatasetInvalidError: A file cannot be read as a table.
        OSError: A file cannot be read.
        UsageError: `header` is not `auto`, `yes` or `no`, or a path is that of a folder.
    """
    uploaded: dict[tuple[str, str], str] = {}

    def in_place_of(file: Mapping[str, Any]) -> JSONObject:
        key = file["path"], checked_header(file.get("header", "auto"))
        if key not in uploaded:
            uploaded[key] = datasets.upload(key[0], header=key[1], progress=progress).id
        others = {field: value for field, value in file.items() if field not in _FIELDS_OF_FILE}
        return {"kind": "dataset", "id": uploaded[key], **others}

    replaced: JSONObject = replace_files(spec, in_place_of)
    return replaced


def replace_files(value: Any, in_place_of: Any, level: int = 0) -> Any:
    """Return a JSON value with each `{"kind": "file", "path": …}` in it replaced; labels are no data."""
    if level > _MAX_LEVELS:
        return value
    if isinstance(value, Mapping):
        if value.get("kind") == "file" and isinstance(value.get("path"), str):
            return in_place_of(value)
        return {
            name: part if name == "labels" else replace_files(part, in_place_of, level + 1)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [replace_files(part, in_place_of, level + 1) for part in value]
    return value


def _ids_in(value: Any, level: int) -> Iterator[str]:
    """Yield the id of each data set in a JSON value."""
    if level > _MAX_LEVELS:
        return
    if isinstance(value, Mapping):
        if value.get("kind") == "dataset" and is_id("data set", value.get("id")):
            yield value["id"]
        for part in value.values():
            yield from _ids_in(part, level + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _ids_in(part, level + 1)
