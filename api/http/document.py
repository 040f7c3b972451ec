"""The OpenAPI document of an app: FastAPI's, with what that leaves out or cannot know."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel

from api.http.auth import open_endpoints
from api.http.errors import PROBLEM_MEDIA_TYPE

Links = Mapping[tuple[str, str, str], tuple[str, Mapping[str, str]]]
"""By path, method and status of an answer that names something: which of what it names is meant, and the parameters of
other operations that take it."""

_PARAMETER = re.compile(r"\{(\w+)\}")


def document_of(
    app: FastAPI,
    routes: Sequence[APIRoute],
    bodies: Iterable[type[BaseModel]],
    links: Links,
    public_url: str | None = None,
) -> dict[str, Any]:
    """Return the document of the app and its operations, made once.

    Args:
        app: The app.
        routes: Its operations.
        bodies: What their bodies are read as. Our own code reads them, because its errors are better than FastAPI's,
            which therefore does not know their schemas.
        links: From an answer to the operations that go on from it.
        public_url: Where users reach it, if that is known.
    """
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        if public_url:
            document["servers"] = [{"url": public_url.rstrip("/")}]
        schemas = document["components"]["schemas"]
        for body in bodies:
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
        _add_links(document, links)
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


def _add_links(document: dict[str, Any], links: Links) -> None:
    """Add links: the operations that go on from what an answer names, or from the first of a list."""
    shared = document["components"].setdefault("links", {})
    for (path, method, status), (which, parameters) in links.items():
        response = document["paths"][path][method]["responses"][status]
        for goal, operations in document["paths"].items():
            if set(_PARAMETER.findall(goal)) == parameters.keys():
                for operation in operations.values():
                    operation_id = operation["operationId"]
                    name = f"{operation_id}_{which}"
                    shared[name] = {"operationId": operation_id, "parameters": parameters}
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
