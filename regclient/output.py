"""What the command line prints: lines for people, JSON for programs. The tables of jobs are in `job_tables`."""

import json
import os
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from regclient.errors import APIError, RegClientError
from regclient.progress import STATE_STYLES

# Without a terminal rich assumes 80 columns. What reads a pipe has no width to keep to: never fold an id there.
PIPE_WIDTH = 160
WIDE_TABLE_WIDTH = 100


def make_console(*, stderr: bool = False) -> Console:
    """A console as wide as its terminal, or wide enough for every table where there is none."""
    console = Console(stderr=stderr)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


out = make_console()
err = make_console(stderr=True)


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout, whatever the terminal's width."""
    out.file.write(json.dumps(value, ensure_ascii=False) + "\n")
    out.file.flush()


def print_error(error: Exception, *, as_json: bool) -> None:
    """An error on stderr; as JSON it is the server's own problem where there is one."""
    if as_json:
        body = error.problem if isinstance(error, APIError) else {"title": type(error).__name__, "detail": str(error)}
        err.file.write(json.dumps({"error": body}, ensure_ascii=False) + "\n")
        err.file.flush()
    else:
        kind = "" if isinstance(error, RegClientError | ValueError | OSError) else f"{type(error).__name__}: "
        err.print(f"[red]Error:[/] {escape(kind + str(error))}", highlight=False)


def styled_state(state: str) -> str:
    style = STATE_STYLES.get(state, "")
    return f"[{style}]{escape(state)}[/]" if style else escape(state)


def format_number(value: Any) -> str:
    """Four significant digits for a fraction, thousands for an integer, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def event_line(event: Mapping[str, Any]) -> str:
    """One record of a job as one line."""
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
    return f"[dim]{event['at']}[/]  {event['kind']:<10}  {text}"
