"""The OpenAPI document. `python -m api.openapi` writes it to `openapi.json`, which a test holds to the code."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.http.auth import open_endpoints
from api.http.errors import PROBLEM_MEDIA_TYPE
from api.jobs.reruns import Rerun
from api.sweeps.comparisons import Comparison
from api.sweeps.suggestions import SuggestionRequest
from regcore.spec import JobSpec
from regcore.study.sweep import SweepSpec

BODIES: tuple[type[BaseModel], ...] = (JobSpec, Rerun, SweepSpec, Comparison, SuggestionRequest)
VERSION = "1"
PATH = Path("openapi.json")

_LINE_CHARACTERS = 120
_PARAMETER = re.compile(r"\{(\w+)\}")
_THIS_JOB, _THIS_SWEEP = {"job_id": "$response.body#/id"}, {"sweep_id": "$response.body#/id"}
_THIS_DATASET = {"dataset_id": "$response.body#/id"}
_LINKED = {
    ("/v1/jobs", "post", "201"): ("this", _THIS_JOB),
    ("/v1/jobs", "get", "200"): ("first", {"job_id": "$response.body#/data/0/id"}),
    ("/v1/jobs/{job_id}/rerun", "post", "201"): ("this", _THIS_JOB),
    ("/v1/jobs/{job_id}/artifacts", "get", "200"): (
        "first",
        {"job_id": "$request.path.job_id", "name": "$response.body#/data/0/name"},
    ),
    ("/v1/sweeps", "post", "201"): ("this", _THIS_SWEEP),
    ("/v1/sweeps", "get", "200"): ("first", {"sweep_id": "$response.body#/data/0/id"}),
    ("/v1/datasets", "post", "202"): ("this", _THIS_DATASET),
    ("/v1/datasets", "post", "200"): ("this", _THIS_DATASET),
    ("/v1/datasets", "get", "200"): ("first", {"dataset_id": "$response.body#/data/0/id"}),
}
"""By the answer that names something, which of what it names is meant, and the parameters that take it."""

_DESCRIPTION = (
    "Regularized training of neural networks as a service: POST a job, get a model and the evidence. "
    "Ignore response fields that you do not know, and tolerate new values of enumerations: version 1 only adds."
)


def document_of(app: FastAPI, routes: Sequence[APIRoute], public_url: str | None = None) -> dict[str, Any]:
    """Return the document of the app and its operations, made once.

    Args:
        app: The app.
        routes: Its operations.
        public_url: Where users reach it, if that is known.
    """
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=VERSION, description=_DESCRIPTION, routes=app.routes)
        if public_url:
            document["servers"] = [{"url": public_url.rstrip("/")}]
        schemas = document["components"]["schemas"]
        # Our own code reads bodies, because its errors are better; so their schemas are added here.
        for body in BODIES:
            schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas[body.__name__] = schema
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path in document["paths"].values():
            for operation in path.values():
                _use_problem_media_type(operation)
        for route in routes:
            for method in route.methods or ():
                _restore(document["paths"][route.path][method.lower()], route)
        _add_links(document)
        _share_problems(document)
        app.openapi_schema = document
    return app.openapi_schema


def _restore(operation: dict[str, Any], route: APIRoute) -> None:
    """Restore what FastAPI drops: nulls in examples, and that an operation needs no key."""
    if route.endpoint in open_endpoints():
        operation["security"] = []
    for status, response in route.responses.items():
        for media_type, content in response.get("content", {}).items():
            if "example" in content:
                operation["responses"][str(status)]["content"][media_type]["example"] = content["example"]


def _use_problem_media_type(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        content = response.get("content", {})
        if status.isdigit() and int(status) >= 400 and PROBLEM_MEDIA_TYPE in content:
            schema = content.pop("application/json", {}).get("schema")
            content[PROBLEM_MEDIA_TYPE]["schema"] = schema


def _add_links(document: dict[str, Any]) -> None:
    """Add links: the operations that go on from what an answer names, or from the first of a list."""
    links = document["components"].setdefault("links", {})
    for (path, method, status), (which, parameters) in _LINKED.items():
        response = document["paths"][path][method]["responses"][status]
        for goal, operations in document["paths"].items():
            if set(_PARAMETER.findall(goal)) == parameters.keys():
                for operation in operations.values():
                    operation_id = operation["operationId"]
                    name = f"{operation_id}_{which}"
                    links[name] = {"operationId": operation_id, "parameters": parameters}
                    response.setdefault("links", {})[operation_id] = {"$ref": f"#/components/links/{name}"}


def _share_problems(document: dict[str, Any]) -> None:
    """Put each problem response where all operations can refer to it: many have the same."""
    shared = document["components"].setdefault("responses", {})
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                if status.isdigit() and int(status) >= 400:
                    codes = response["content"][PROBLEM_MEDIA_TYPE]["examples"]
                    name = "_or_".join(sorted(codes))
                    shared[name] = response
                    operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}


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
    # Imported here, because api.main imports this module.
    from api.main import build_app
    from jobs.settings import Settings

    return write_json(build_app(Settings()).openapi()) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), "utf-8")
