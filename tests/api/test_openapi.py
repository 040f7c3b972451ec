import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from api.openapi import PATH, render

ROOT = Path(__file__).parents[2]


def test_the_committed_document_is_the_codes() -> None:
    assert (ROOT / PATH).read_text("utf-8") == render(), "run `python -m api.openapi`"


def test_the_submitted_example_is_a_spec_that_is_accepted(app: FastAPI, client: Any) -> None:
    body = app.openapi()["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]

    response = client.post("/v1/jobs", json=body["example"])

    assert response.status_code == 201


def test_the_file_says_what_the_document_says_in_lines_of_a_readable_length(app: FastAPI) -> None:
    text = render()

    assert json.loads(text) == app.openapi()
    lines = text.splitlines()
    assert sum(len(line) > 200 for line in lines) < len(lines) / 20
