"""Every bad input of the issue: which field, what to do, and nothing stored."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

Change = Callable[[dict[str, Any]], object]


def _set(*path: Any) -> Change:
    *parents, name, value = path

    def change(spec: dict[str, Any]) -> None:
        node: Any = spec
        for parent in parents:
            node = node[parent]
        node[name] = value

    return change


BAD_SPECS: dict[str, tuple[Change, str, str]] = {
    "unknown kind": (_set("regularizers", 0, "kind", "l11"), "/regularizers/0/kind", "Did you mean 'l1'?"),
    "unknown model": (_set("model", "kind", "mpl"), "/model/kind", "Did you mean 'mlp'?"),
    "unknown field": (_set("training", "epoch", 3), "/training/epoch", "Did you mean 'epochs'?"),
    "unknown field at the top": (_set("regularisers", []), "/regularisers", "Did you mean 'regularizers'?"),
    "negative strength": (_set("regularizers", 0, "strength", -1), "/regularizers/0/strength", "at least 0"),
    "p of one": (_set("regularizers", [{"kind": "dropout", "p": 1.0}]), "/regularizers/0/p", "below 1"),
    "unknown data set": (_set("data", "name", "digit"), "/data/name", "Did you mean 'digits'?"),
    "no hidden layer": (_set("model", "hidden", []), "/model/hidden", "at least 1"),
    "batch larger than the data": (_set("training", "batch_size", 100_000), "/training/batch_size", "at most"),
    "epochs over the ceiling": (_set("training", "epochs", 100_001), "/training/epochs", "100"),
    "a selector without a match": (
        _set("regularizers", 0, "select", {"include": ["nothing.*"]}),
        "/regularizers/0/select",
        "nothing.*",
    ),
    "no data": (lambda spec: spec.pop("data"), "/data", "Add it"),
    "a list": (_set("model", "hidden", "many"), "/model/hidden", "list"),
}


@pytest.mark.parametrize("name", BAD_SPECS)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs?validate_only=true"])
def test_a_bad_spec_is_a_problem_that_names_the_field_and_the_remedy(
    name: str, path: str, client: TestClient, problem_of: Any, num_jobs: Any, spec: dict[str, Any]
) -> None:
    change, pointer, remedy = BAD_SPECS[name]
    change(spec)

    problem = problem_of(client.post(path, json=spec), 422, "invalid_spec")

    wrong = next(error for error in problem["errors"] if error["pointer"].startswith(pointer))
    assert remedy in wrong["message"]
    assert num_jobs() == 0


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (_set("regularizers", 0, "strength", "@"), "/regularizers/0/strength"),
        (_set("training", "epochs", "@"), "/training/epochs"),
        (_set("labels", "team", "@"), "/labels/team"),
        (_set("no_such_field", "@"), "/no_such_field"),
    ],
)
def test_a_number_that_is_not_finite_is_named_in_valid_json(
    literal: str, change: Change, pointer: str, client: TestClient, problem_of: Any, num_jobs: Any, spec: dict[str, Any]
) -> None:
    change(spec)
    body = json.dumps(spec).replace('"@"', literal)

    response = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    problem = problem_of(response, 422, "invalid_body")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert "finite number" in problem["errors"][0]["message"]
    json.loads(response.text, parse_constant=pytest.fail)
    assert num_jobs() == 0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "It is empty"),
        (b"{", "line 1, column 2"),
        (b'{"a": 1,}', "line 1"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"name": "\xff"}', "Byte 11, 0xff, is not UTF-8"),
        (b'{"a": 1, "a": 2}', "'a' comes twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 200 + b"]" * 200, "nested too deeply"),
        (b'{"a": ' + b"1" * 5000 + b"}", "digits"),
    ],
)
def test_broken_json_is_a_400_that_says_where(
    body: bytes, said: str, client: TestClient, problem_of: Any, num_jobs: Any
) -> None:
    response = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})

    problem = problem_of(response, 400, "invalid_json")
    assert said in problem["detail"]
    assert "send it again" in problem["errors"][0]["message"]
    assert problem["errors"][0]["pointer"] == ""
    assert num_jobs() == 0


def test_a_byte_order_mark_is_skipped(client: TestClient, spec: dict[str, Any]) -> None:
    content = json.dumps(spec).encode("utf-8-sig")

    response = client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})

    assert response.status_code == 201


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_no_database_keeps_is_refused(
    text: str, client: TestClient, problem_of: Any, num_jobs: Any, spec: dict[str, Any]
) -> None:
    spec["labels"] = {"team": text}

    response = client.post("/v1/jobs", content=json.dumps(spec), headers={"Content-Type": "application/json"})

    problem = problem_of(response, 422, "invalid_body")
    assert problem["errors"][0]["pointer"] == "/labels/team"
    assert "Remove" in problem["errors"][0]["message"]
    assert num_jobs() == 0


def test_a_name_that_is_half_a_surrogate_pair_is_refused_in_valid_json(client: TestClient, problem_of: Any) -> None:
    response = client.post("/v1/jobs", content=rb'{"\ud800": {"x": NaN}}', headers={"Content-Type": "application/json"})

    problem_of(response, 422, "invalid_body")


def test_a_body_of_20_mb_is_a_413(client: TestClient, problem_of: Any, num_jobs: Any, spec: dict[str, Any]) -> None:
    big = copy.deepcopy(spec)
    big["name"] = "x" * 20_000_000

    problem = problem_of(client.post("/v1/jobs", json=big), 413, "body_too_large")

    assert "at most 1,000,000 bytes" in problem["errors"][0]["message"]
    assert "Send less" in problem["errors"][0]["message"]
    assert num_jobs() == 0


def test_a_chunked_body_is_counted_as_it_comes(client: TestClient, problem_of: Any, num_jobs: Any) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b" " * 50_000

    response = client.post("/v1/jobs", content=chunks(), headers={"Content-Type": "application/json"})

    problem_of(response, 413, "body_too_large")
    assert num_jobs() == 0


@pytest.mark.parametrize("body", [[], "text", 3, False])
def test_a_body_that_is_no_object_is_refused(body: Any, client: TestClient, problem_of: Any, num_jobs: Any) -> None:
    problem = problem_of(client.post("/v1/jobs", json=body), 422, "invalid_spec")

    assert problem["errors"][0]["pointer"] == ""
    assert num_jobs() == 0


def test_every_wrong_place_is_named_at_once(client: TestClient, problem_of: Any, spec: dict[str, Any]) -> None:
    spec["training"]["epochs"] = 0
    spec["model"]["hidden"] = [-1]

    problem = problem_of(client.post("/v1/jobs", json=spec), 422, "invalid_spec")

    assert {error["pointer"] for error in problem["errors"]} == {"/training/epochs", "/model/hidden/0"}
