import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.bodies import parse_json
from api.errors import ProblemError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_all_json_that_can_be_kept_comes_back_as_it_was(value: Any, ensure_ascii: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == value


def test_every_wrong_value_is_named_by_its_pointer() -> None:
    with pytest.raises(ProblemError) as caught:
        parse_json(rb'{"a": [0, NaN], "b/c": {"d~": -Infinity}, "e": "\u0000", "f": {"\ud800": 1}}')

    assert caught.value.code == "invalid_body"
    assert [(error.pointer, error.code) for error in caught.value.errors] == [
        ("/a/1", "not_finite"),
        ("/b~1c/d~0", "not_finite"),
        ("/e", "invalid_text"),
        ("/f", "invalid_text"),
    ]


@pytest.mark.parametrize(("depth", "is_refused"), [(64, False), (66, True)])
def test_nesting_has_a_limit(depth: int, is_refused: bool) -> None:
    content = b"[" * depth + b"]" * depth

    try:
        parse_json(content)
        code = None
    except ProblemError as error:
        code = error.code

    assert code == ("invalid_json" if is_refused else None)


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", "application/x+json"])
def test_every_spelling_of_json_is_taken(media_type: str, client: TestClient, spec: dict[str, Any]) -> None:
    response = client.post("/v1/jobs", content=json.dumps(spec), headers={"Content-Type": media_type})

    assert response.status_code == 201


def test_a_body_may_be_as_large_as_the_limit(client: TestClient, spec: dict[str, Any]) -> None:
    content = json.dumps(spec).encode().ljust(1_000_000)

    response = client.post("/v1/jobs", content=content, headers={"Content-Type": "application/json"})

    assert response.status_code == 201


@pytest.mark.parametrize("content", [b"", b"  \n", b"{}"])
def test_where_no_body_is_taken_an_empty_one_is(content: bytes, client: TestClient, running: tuple[str, int]) -> None:
    assert client.post(f"/v1/jobs/{running[0]}/cancel", content=content).status_code == 202


@pytest.mark.parametrize("content", [b"[]", b"null", b"0", b'"now"'])
def test_where_no_body_is_taken_nothing_else_is(
    content: bytes, client: TestClient, running: tuple[str, int], problem_of: Any
) -> None:
    problem = problem_of(client.post(f"/v1/jobs/{running[0]}/cancel", content=content), 422, "invalid_body")

    assert problem["errors"][0]["pointer"] == ""
