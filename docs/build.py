"""Write what the documentation takes from the code: `make docs`. A test holds the files to `outputs()`.

A page for each regularizer, and one for all layers, models and optimizers, from `regcore.spec.catalogue`; the tables of
settings and states in README.md, that of what fuses in docs/fusion.md, and openapi.json.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from api.openapi import render
from jobs.settings import SECRETS, VARIABLES, Settings
from jobs.states import markdown_table
from regcore.frozen import Fusible
from regcore.spec.catalogue import CatalogueEntry, catalogue
from regcore.spec.kinds import LAYERS, OPTIMIZERS, REGULARIZERS

ROOT = Path(__file__).resolve().parent.parent
PAGES = Path("docs/regularizers")
FUSION = Path("docs/fusion.md")
NOTE = "<!-- Written by `make docs` from the code. Change the code, not this file. -->\n\n"

_MAX_KINDS_WITH_FIELDS = 4
"""Of more kinds, a field's cell has their names alone: their fields are in the tables of their own sections."""
_BOUNDS = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}


def outputs() -> dict[Path, str]:
    """Return every generated file, by its path from the root, with what it should hold."""
    readme = (ROOT / "README.md").read_text("utf-8")
    readme = _between(readme, "settings", settings_table())
    readme = _between(readme, "states", markdown_table())
    fusion = _between((ROOT / FUSION).read_text("utf-8"), "members", fusion_table())
    files = {Path("README.md"): readme, FUSION: fusion, Path("openapi.json"): openapi()}
    entries = catalogue("regularizers")
    files[PAGES / "README.md"] = index_page(entries)
    files |= {PAGES / f"{entry.kind}.md": regularizer_page(entry) for entry in entries}
    files |= {Path(f"docs/{family}.md"): family_page(family) for family in ("layers", "models", "optimizers")}
    return files


def openapi() -> str:
    """Return the api's own description of itself."""
    return render()


def settings_table() -> str:
    """Return the table of every setting, with its default as one would write it."""
    rows = ["| variable | default | what it is |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        variable = f"`{VARIABLES[name]}`"
        if name in SECRETS:
            variable += f" or `{VARIABLES[name]}_FILE`"
        rows.append(f"| {variable} | {_written(_default(field))} | {field.description} |")
    return "\n".join(rows) + "\n"


def fusion_table() -> str:
    """Return the table of what each part allows the members of one pass to differ in."""
    parts: list[tuple[str, type[Fusible]]] = [
        *(("layer", layer) for layer in LAYERS.values()),
        *(("optimizer", optimizer) for optimizer in OPTIMIZERS.values()),
        *(("regularizer", regularizer) for regularizer in REGULARIZERS.values()),
    ]
    rows = ["| part | kind | members may differ in |", "| --- | --- | --- |"]
    rows += [f"| {what} | `{part.model_fields['kind'].default}` | {_differing(part)} |" for what, part in parts]
    return "\n".join(rows) + "\n"


def _differing(part: type[Fusible]) -> str:
    if part.member_fields is None:
        return "trains alone"
    in_order = [name for name in part.model_fields if name in part.member_fields]
    return ", ".join(f"`{name}`" for name in in_order) or "nothing; it fuses"


def index_page(entries: list[CatalogueEntry]) -> str:
    """Return the list of regularizers, a line for each."""
    rows = ["| kind | what it does |", "| --- | --- |"]
    rows += [f"| [`{entry.kind}`]({entry.kind}.md) | {entry.summary} |" for entry in entries]
    return f"{NOTE}# Regularizers\n\n" + "\n".join(rows) + "\n"


def regularizer_page(entry: CatalogueEntry) -> str:
    """Return the page of one regularizer."""
    example = json.dumps(entry.example_job, indent=2, ensure_ascii=False)
    return (
        f"{NOTE}# `{entry.kind}`\n\n{entry.summary}\n\n"
        f"    {entry.formula}\n\n"
        f"Source: {entry.source}\n\n"
        f"## Fields\n\n{_fields_table(entry.schema_)}\n"
        f"## A job that uses it\n\nIt trains offline in seconds: `regcore submit job.json --follow`.\n\n"
        f"```json\n{example}\n```\n"
    )


def family_page(family: str) -> str:
    """Return the page of all kinds of one family."""
    sections = [
        f"## `{entry.kind}`\n\n{entry.summary}\n\n    {entry.formula}\n\nSource: {entry.source}\n\n"
        f"{_fields_table(entry.schema_)}"
        for entry in catalogue(family)
    ]
    return f"{NOTE}# {family.capitalize()}\n\n" + "\n".join(sections)


def _fields_table(schema: dict[str, Any]) -> str:
    definitions = schema.get("$defs", {})
    rows = ["| field | value | default | |", "| --- | --- | --- | --- |"]
    for name, field in schema["properties"].items():
        default = _written(field["default"]) if "default" in field else "required"
        meaning = field.get("description", "").replace("\n", " ")
        rows.append(f"| `{name}` | {_kind_of_value(field, definitions)} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _kind_of_value(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Say what a field takes, in words, from its JSON Schema."""
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    kinds = field.get("discriminator", {}).get("mapping", {})
    if len(kinds) > _MAX_KINDS_WITH_FIELDS:
        return ", ".join(f"`{kind}`" for kind in kinds)
    for union in ("anyOf", "oneOf"):
        if union in field:
            return " or ".join(dict.fromkeys(_kind_of_value(part, definitions) for part in field[union]))
    if "$ref" in field:
        name = field["$ref"].removeprefix("#/$defs/")
        target = definitions[name]
        if "enum" in target:
            return _kind_of_value(target, definitions)
        members = target.get("properties", {})
        return "`{" + ", ".join(members) + "}`" if members else name
    if field.get("type") == "array":
        return f"list of {_kind_of_value(field.get('items', {}), definitions)}"
    bounds = ", ".join(f"{sign}{field[key]:g}" for key, sign in _BOUNDS.items() if key in field)
    return " ".join(filter(None, [str(field.get("type", "any")), bounds]))


def _default(field: FieldInfo) -> Any:
    """Return a setting's default; those that lie in the data directory follow from its default."""
    return field.get_default(call_default_factory=True, validated_data={"data_dir": Path(".regcore")})


def _written(value: Any) -> str:
    if value is PydanticUndefined or value is None or value == ():
        return ""
    if isinstance(value, Path):
        return f"`{value}`"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _between(text: str, name: str, content: str) -> str:
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}\n{content}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"expected one section between <!-- {name}: … --> and <!-- /{name} -->, found {count}")
    return changed


def _write() -> Iterator[Path]:
    for path, content in outputs().items():
        target = ROOT / path
        if not target.exists() or target.read_text("utf-8") != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, "utf-8")
            yield path


if __name__ == "__main__":
    for written in _write():
        print(f"wrote {written}", file=sys.stderr)
