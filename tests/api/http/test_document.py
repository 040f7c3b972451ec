import json
from typing import Any

import jsonschema_rs
import pytest
from fastapi import FastAPI


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_an_example_that_fits_its_schema(app: FastAPI) -> None:
    document = app.openapi()
    for name, operation in operations(document):
        assert operation.get("summary"), name
        good = {status: one for status, one in operation["responses"].items() if status.startswith("2")}
        for status, response in good.items():
            if status == "204":
                continue
            for media_type, content in response["content"].items():
                assert "example" in content, (name, status, media_type)
                if media_type == "application/json":
                    schema = {**content["schema"], "components": document["components"]}
                    jsonschema_rs.validate(schema, content["example"])


def test_every_error_is_a_problem(app: FastAPI) -> None:
    document = app.openapi()
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.startswith(("4", "5")):
                shared = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                assert set(shared["content"]) == {"application/problem+json"}, (name, status)


def test_every_operation_but_the_probes_asks_for_the_key(app: FastAPI) -> None:
    document = app.openapi()

    unprotected = {name for name, operation in operations(document) if not operation.get("security")}

    assert unprotected == {"get /healthz", "get /readyz"}


def test_every_reference_leads_somewhere(app: FastAPI) -> None:
    document = app.openapi()
    text = json.dumps(document)

    for kind, name in {tuple(part.split('"')[0].split("/")) for part in text.split("#/components/")[1:]}:
        assert name in document["components"][kind], name


def test_what_is_shared_is_used_and_written_once(app: FastAPI) -> None:
    document = app.openapi()
    text = json.dumps(document)

    for kind in ("responses", "links"):
        shared = document["components"][kind]
        assert all(f"#/components/{kind}/{name}" in text for name in shared)
        assert len({json.dumps(one) for one in shared.values()}) == len(shared)


def test_every_operation_on_something_is_reached_by_a_link(app: FastAPI) -> None:
    document = app.openapi()
    linked = {link["operationId"] for link in document["components"]["links"].values()}

    for path, methods in document["paths"].items():
        for operation in methods.values():
            if "{" in path:
                assert operation["operationId"] in linked, path


@pytest.mark.parametrize("name", ["HTTPValidationError", "ValidationError"])
def test_fastapis_own_errors_are_not_in_it(name: str, app: FastAPI) -> None:
    assert name not in app.openapi()["components"]["schemas"]
