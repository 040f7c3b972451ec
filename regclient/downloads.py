"""Downloads of artifacts: each is checked against its SHA-256 before the file gets its name."""

import errno
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from regclient.errors import APIError, IntegrityError, UnexpectedAnswerError
from regclient.handle import LIST_FIELDS, path_of
from regclient.http.answers import JSONObject
from regclient.http.retries import Interruption
from regclient.http.transport import Transport

DAMAGED = "artifact_damaged"
"""The code of the server's problem that a file is lost, or is not what was stored."""

_MAX_NAME_BYTES = 255


def listed(transport: Transport, job_id: str) -> list[JSONObject]:
    """Return the artifacts of a job: `{name, size_bytes, sha256, media_type, url}`."""
    path = path_of("jobs", job_id, "artifacts")
    found: list[JSONObject] = transport.request("GET", path, fields=LIST_FIELDS)["data"]
    for artifact in found:
        if not all(isinstance(artifact.get(field), str) for field in ("name", "sha256")):
            raise UnexpectedAnswerError(200, transport.url + path, "an artifact without name or sha256")
    return found


def save_all(transport: Transport, job_id: str, artifacts: Sequence[JSONObject], directory: Path) -> list[Path]:
    """Save artifacts of a job into a directory.

    Args:
        transport: The connection to the server.
        job_id: The job's id, already checked.
        artifacts: Entries that `listed` returned.
        directory: Made if absent.

    Raises:
        IntegrityError: Some are damaged. All others are saved.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(
            errno.ENOTDIR, "Expected a directory, and a file has this name", str(directory)
        ) from None
    saved: list[Path] = []
    damaged: dict[str, str] = {}
    for artifact in artifacts:
        try:
            saved.append(_save(transport, job_id, artifact, directory))
        except IntegrityError as error:
            damaged[artifact["name"]] = str(error)
    if damaged:
        others = f" The others are in {directory}." if saved else ""
        raise IntegrityError(" ".join(damaged.values()) + others, list(damaged), saved)
    return saved


def receive(transport: Transport, job_id: str, artifact: JSONObject, file: BinaryIO) -> None:
    """Download an artifact into a file, and compare its SHA-256 with the announced one.

    Raises:
        IntegrityError: They differ, or the server reports that the artifact is damaged.
    """
    name, announced = artifact["name"], artifact["sha256"]
    path, attempts = path_of("jobs", job_id, "artifacts", name), transport.attempts()
    while True:
        try:
            digest = _fetch(transport, path, file)
            break
        except Interruption as interruption:
            attempts.failed(interruption)
        except APIError as error:
            if error.code != DAMAGED:
                raise
            raise IntegrityError(str(error.problem.get("detail") or error), [name]) from error
    if digest != announced:
        raise IntegrityError(f"{name} arrived with SHA-256 {digest}; the server announced {announced}.", [name])


def _save(transport: Transport, job_id: str, artifact: JSONObject, directory: Path) -> Path:
    name = artifact["name"]
    if not _is_plain_name(name):
        raise IntegrityError(f"The server offers an artifact named {name!r}, which is not a plain file name.", [name])
    # The random name keeps simultaneous downloads into one directory apart. Mode "x" never follows a link that is
    # already there.
    partial = directory / f".{secrets.token_hex(8)}.partial"
    try:
        with partial.open("xb") as file:
            receive(transport, job_id, artifact, file)
        return partial.replace(directory / name)
    finally:
        partial.unlink(missing_ok=True)


def _fetch(transport: Transport, path: str, file: BinaryIO) -> str:
    file.seek(0)
    file.truncate()
    digest = hashlib.sha256()
    with transport.stream(path) as response:
        for chunk in response.iter_bytes():
            file.write(chunk)
            digest.update(chunk)
    return digest.hexdigest()


def _is_plain_name(name: Any) -> bool:
    """Whether this is the plain name of a file: not a path, and not `.` or `..`."""
    return (
        name not in ("", ".", "..")
        and name.isprintable()
        and "/" not in name
        and "\\" not in name
        and len(os.fsencode(name)) <= _MAX_NAME_BYTES
    )
