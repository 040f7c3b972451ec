"""Output of the command line: lines for people, JSON for programs. The tables of jobs are in `job_tables`."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from rich.markup import escape

from regclient.display.progress import STATE_STYLES
from regclient.display.terminal import OutputError, make_console, visible
from regclient.errors import APIError, DatasetInvalidError

WIDE_TABLE_WIDTH = 100
_LEAST_WITH_EXPONENT = 1e9

# The same pattern as in the servers' logs.
_KEYS = re.compile(r"\brc_([0-9A-Za-z]{4,36})_[0-9A-Za-z_-]{8,}")
_URL_PASSWORDS = re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@")

out = make_console()
err = make_console(stderr=True)


def print_json(value: Any) -> None:
    """Print a JSON value as one line of stdout, for any width and encoding of the terminal."""
    _write_json(value, out.file)


def print_error(error: BaseException, *, as_json: bool, message: str | None = None) -> None:
    """Print an error on stderr, with its own message by default; as JSON, print the server's problem if it has one."""
    said = without_secrets(str(error) if message is None else message)
    if as_json:
        detail: dict[str, Any] = {"title": type(error).__name__, "detail": said}
        awaited_id = getattr(error, "awaited_id", None)
        if isinstance(error, DatasetInvalidError):
            detail |= {"id": error.dataset_id, "state_reason": error.reason}
        body = error.problem if isinstance(error, APIError) else detail | ({"id": awaited_id} if awaited_id else {})
        _write_json({"error": body}, err.file)
    else:
        err.print(f"[red]Error:[/] {escape(said)}", highlight=False, soft_wrap=True)


def print_announcement(part: str, line: str, *, as_json: bool = False) -> None:
    """Print what a part of the stack does; if nobody reads stdout any more, the stack runs on."""
    with suppress(OutputError):
        if as_json:
            print_json({"part": part, "message": line})
        else:
            out.print(f"[bold]{part:<8}[/] {escape(line)}", highlight=False, soft_wrap=True)


def without_secrets(text: str) -> str:
    """Return the text with API keys and passwords in URLs redacted."""
    return _URL_PASSWORDS.sub(r"\1:[redacted]@", _KEYS.sub(r"rc_\1_[redacted]", text))


def _write_json(value: Any, file: IO[str]) -> None:
    encoding = getattr(file, "encoding", None) or "utf-8"
    # Only strings of JSON can hold control characters of a terminal, and there `visible` writes escapes that JSON
    # allows.
    line = visible(json.dumps(value, ensure_ascii=False))
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        line = json.dumps(value)
    file.write(line + "\n")
    file.flush()


def styled_state(state: str) -> str:
    style = STATE_STYLES.get(state, "")
    return f"[{style}]{escape(state)}[/]" if style else escape(state)


def format_number(value: Any, num_digits: int = 4) -> str:
    """Return a float with so many significant digits, an integer with commas, and a dash for None.

    A float of more digits before its point, as a price has, is shown as an integer rather than with an exponent.
    """
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if 10**num_digits - 0.5 <= abs(value) < _LEAST_WITH_EXPONENT else f"{value:.{num_digits}g}"


def event_line(event: Mapping[str, Any]) -> str:
    """Return a record of a job as text; further lines are indented, so that they do not look like other records."""
    body = event["body"]
    match event["kind"]:
        case "state":
            text = styled_state(str(body.get("state", "")))
        case "metrics":
            values = "  ".join(f"{name} {format_number(value)}" for name, value in body.get("values", {}).items())
            text = f"epoch {body.get('epoch')}  {escape(values)}"
        case "progress":
            percent = 100 * (body.get("fraction") or 0)
            text = f"epoch {body.get('epoch')}/{body.get('num_epochs')}  {percent:.0f} %"
        case "log" | "warning":
            text = escape(str(body.get("message", "")))
        case _:
            text = escape(json.dumps(body, ensure_ascii=False))
    kind = f"{event['kind']:<10}"
    indent = " " * len(f"{event['at']}  {kind}  ")
    return f"[dim]{escape(event['at'])}[/]  {escape(kind)}  {text}".replace("\n", f"\n{indent}")
