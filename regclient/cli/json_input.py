"""JSON that a user gives to a command: in a file, on stdin, or as an argument."""

import sys
from pathlib import Path
from typing import Any

import typer

from regclient.cli.spec_settings import no_patch
from regclient.own_data import replace_files
from regcore.errors import JsonSyntaxError, JsonValueError
from regcore.json_text import read_json


def read_object(source: str) -> dict[str, Any]:
    """Return the JSON object in a file, or on stdin.

    Raises:
        BadParameter: It cannot be read, is not JSON, or is not an object.
    """
    body = _read(source)
    if not isinstance(body, dict):
        raise typer.BadParameter(f"{source}: expected a JSON object, received {type(body).__name__}.")
    return body


def read_spec(source: str) -> dict[str, Any]:
    """Return the spec of a job or a sweep in a file, or on stdin.

    A relative path of a `file` in it starts at the spec's folder; if nothing is there, at the working directory.

    Raises:
        BadParameter: The spec cannot be read, or both places have such a file.
    """
    body = read_object(source)
    if source == "-":
        return body
    anchored: dict[str, Any] = replace_files(
        body, lambda file: {**file, "path": _anchored(file["path"], Path(source).parent)}
    )
    return anchored


def read_patch(source: str) -> list[dict[str, Any]]:
    """Return the JSON Patch in a file, on stdin, or in the argument itself.

    Raises:
        BadParameter: It cannot be read, is not JSON, or is not a list of objects.
    """
    is_text = source.lstrip().startswith(("[", "{"))
    # Bytes of an argument that are not UTF-8 are restored, so that the reader's message names them.
    patch = parse(source.encode(errors="surrogateescape"), "--patch") if is_text else _read(source)
    if isinstance(patch, dict):
        raise typer.BadParameter(no_patch(patch))
    if not isinstance(patch, list) or not all(isinstance(operation, dict) for operation in patch):
        raise typer.BadParameter("--patch: expected a list of JSON Patch operations (RFC 6902).")
    return patch


def parse(content: bytes, source: str) -> Any:
    """Parse JSON by the same rules as the server.

    Raises:
        BadParameter: It is not JSON, or holds values that cannot be stored.
    """
    try:
        return read_json(content)
    except JsonSyntaxError as error:
        raise typer.BadParameter(f"{source} is not valid JSON. {error}.") from None
    except JsonValueError as error:
        raise typer.BadParameter(f"{source} holds a value that cannot be stored. {error}") from None


def _anchored(path: str, folder: Path) -> str:
    beside, here = folder / path, Path(path)
    try:
        if not beside.exists():
            return path
        is_one = not here.exists() or beside.samefile(here)
    except (OSError, ValueError):  # opening it says what is wrong
        return path
    if is_one:
        return str(beside)
    raise typer.BadParameter(
        f"data.path: {path!r} is both {beside} and {here.resolve()}. Write in the spec which is meant, as a whole path."
    )


def _read(source: str) -> Any:
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: the name holds a NUL
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise typer.BadParameter(f"Cannot read {source!r}: {said}.") from None
    return parse(content, "stdin" if source == "-" else source)
