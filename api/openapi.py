"""The OpenAPI document as a file: `python -m api.openapi` writes `openapi.json`, which a test holds to the code."""

import json
from pathlib import Path
from typing import Any

from api.app import build_app
from jobs.settings import Settings

PATH = Path("openapi.json")

_LINE_CHARACTERS = 120


def write_json(value: Any, indent: str = "") -> str:
    """Write JSON that is read and compared line by line: what fits into one is in one."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent) + len(line) <= _LINE_CHARACTERS:
        return line
    inner = indent + " "
    if isinstance(value, list):
        parts = [write_json(part, inner) for part in value]
    else:
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {write_json(part, inner)}" for name, part in value.items()]
    lines = f",\n{inner}".join(parts)
    first, last = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{first}\n{inner}{lines}\n{indent}{last}"


def render() -> str:
    """Return the document's file, as it is committed."""
    return write_json(build_app(Settings()).openapi()) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), "utf-8")
