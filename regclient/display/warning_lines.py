"""Warnings about a spec, each with what to do, and the option or command that does it."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape

Patch = Sequence[Mapping[str, Any]]
Fix = Callable[[Patch], str]
"""From a JSON Patch to the command that applies it; empty if there is none."""


def warning_lines(warnings: Sequence[Mapping[str, Any]] | None, fix: Fix) -> Iterator[tuple[str, str]]:
    """Yield titles and texts, in rich's markup: place, message and remedy of each warning, and below it the fix."""
    for one in warnings or []:
        said = [str(one[field]) for field in ("pointer", "message", "remedy") if one.get(field)]
        yield "[yellow]warning[/]", escape(" ".join(said))
        command = fix(one["patch"]) if one.get("patch") else ""
        if command:
            yield "", escape(command)


def as_settings(patch: Patch) -> str:
    """Return a patch as options `--set PATH=VALUE` of submit; empty if it is none that they can say."""
    if not all(operation.get("op") in ("add", "replace") and operation.get("path") for operation in patch):
        return ""
    settings = (f"{operation['path']}={_value_text(operation.get('value'))}" for operation in patch)
    return " ".join(f"--set {shlex.quote(setting)}" for setting in settings)


def as_rerun(job_id: str, patch: Patch) -> str:
    """Return the command that runs a job again with a patch."""
    return f"regcore rerun {job_id} --patch {shlex.quote(json.dumps(list(patch), ensure_ascii=False))}"


def _value_text(value: Any) -> str:
    """Return a value as `--set` reads it: text without quotes, unless it would then be read as JSON."""
    if isinstance(value, str) and not value.lstrip().startswith(("{", "[", '"')):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value, ensure_ascii=False)
