"""What the command line prints: tables and panels for people, JSON for programs."""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO, Any

from rich.markup import escape
from rich.table import Table

from regclient.errors import APIError, explain_reason
from regclient.progress import STATE_STYLES
from regclient.terminal import OutputError, make_console, visible

WIDE_TABLE_WIDTH = 100

# As the servers' logs have them struck out.
_KEYS = re.compile(r"\brc_([0-9A-Za-z]{4,36})_[0-9A-Za-z_-]{8,}")
_URL_PASSWORDS = re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@")

out = make_console()
err = make_console(stderr=True)


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout, whatever the terminal's width and encoding."""
    _write_json(value, out.file)


def print_error(error: BaseException, *, as_json: bool, message: str | None = None) -> None:
    """An error on stderr, in its own words if no others are given; as JSON, the server's problem where there is one."""
    said = without_secrets(str(error) if message is None else message)
    if as_json:
        detail = {"title": type(error).__name__, "detail": said}
        awaited_id = getattr(error, "awaited_id", None)
        body = error.problem if isinstance(error, APIError) else detail | ({"id": awaited_id} if awaited_id else {})
        _write_json({"error": body}, err.file)
    else:
        err.print(f"[red]Error:[/] {escape(said)}", highlight=False, soft_wrap=True)


def print_announcement(part: str, line: str, *, as_json: bool = False) -> None:
    """What a part of the stack does, for as long as somebody reads it; the stack itself goes on without."""
    with suppress(OutputError):
        if as_json:
            print_json({"part": part, "message": line})
        else:
            out.print(f"[bold]{part:<8}[/] {escape(line)}", highlight=False, soft_wrap=True)


def without_secrets(text: str) -> str:
    """Text with API keys and the passwords of URLs struck out."""
    return _URL_PASSWORDS.sub(r"\1:[redacted]@", _KEYS.sub(r"rc_\1_[redacted]", text))


def _write_json(value: Any, file: IO[str]) -> None:
    encoding = getattr(file, "encoding", None) or "utf-8"
    # Only strings can hold what a terminal would obey, and there JSON has escapes of its own for it.
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


def jobs_table(jobs: Iterable[Mapping[str, Any]], *, width: int = WIDE_TABLE_WIDTH) -> Table:
    """A line per job: id, name, state, test loss and accuracy; when it was made, where there is room for that."""
    wide = width >= WIDE_TABLE_WIDTH
    table = Table(box=None, header_style="bold")
    table.add_column("id", no_wrap=True)
    table.add_column("name", overflow="fold")
    table.add_column("state", no_wrap=True)
    if wide:
        table.add_column("created", no_wrap=True)
    table.add_column("loss", justify="right", no_wrap=True)
    table.add_column("accuracy", justify="right", no_wrap=True)
    for job in jobs:
        metrics = (job.get("result") or {}).get("metrics") or {}
        created = [job["created_at"][:19].replace("T", " ")] if wide else []
        table.add_row(
            job["id"],
            escape(job.get("name") or ""),
            _state_and_progress(job),
            *created,
            format_number(metrics.get("test/loss")),
            format_number(metrics.get("test/accuracy")),
        )
    return table


def print_job(job: Mapping[str, Any]) -> None:
    """A job in full, as a person reads it: state and why, numbers, warnings."""
    table = Table(box=None, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    progress = job.get("progress") or {}
    table.add_row("id", job["id"])
    table.add_row("name", escape(job.get("name") or "–"))
    table.add_row("state", styled_state(job["state"]))
    if job.get("state_reason"):
        table.add_row("reason", escape(explain_reason(job["state_reason"])))
    table.add_row("progress", f"epoch {progress.get('epoch', 0)} of {progress.get('num_epochs', '?')}")
    for field in ("attempt", "created_at", "started_at", "finished_at"):
        table.add_row(field.replace("_at", ""), str(job.get(field) if job.get(field) is not None else "–"))
    result = job.get("result") or {}
    for name, value in (result.get("metrics") or {}).items():
        table.add_row(escape(name), format_number(value))
    for name in ("generalization_gap", "sparsity", "num_parameters", "weights_sha256"):
        if name in result:
            table.add_row(name, format_number(result[name]))
    for warning in job.get("warnings") or []:
        table.add_row(
            "[yellow]warning[/]", escape(f"{warning.get('pointer', '')} {warning.get('message', '')}".strip())
        )
    out.print(table)


def format_number(value: Any) -> str:
    """Four significant digits for a fraction, thousands for an integer, a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _state_and_progress(job: Mapping[str, Any]) -> str:
    state: str = job["state"]
    fraction = (job.get("progress") or {}).get("fraction")
    return f"{styled_state(state)} {100 * fraction:.0f} %" if fraction and state != "succeeded" else styled_state(state)


def event_line(event: Mapping[str, Any]) -> str:
    """One record of a job as one line; what is more than a line is indented, so that it passes for no other record."""
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
