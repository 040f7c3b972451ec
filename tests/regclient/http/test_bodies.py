import json
from typing import Any

import numpy as np
import pytest

from regclient import Client, InvalidBodyError, InvalidRequestError
from regclient.http.bodies import encode_body

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
IN_ITSELF: list[Any] = []
IN_ITSELF.append(IN_ITSELF)

UNSAYABLE = {
    "nan": ({"x": float("nan")}, "/x", "finite"),
    "1e999": ({"a": {"b": [1, json.loads("1e999")]}}, "/a/b/1", "finite"),
    "numpy nan": ({"x": np.float32("nan")}, "/x", "finite"),
    "array with nan": ({"x": np.array([1.0, np.nan])}, "/x/1", "finite"),
    "set": ({"x": {1, 2}}, "/x", "a set"),
    "bytes": ({"x": b"1"}, "/x", "a bytes"),
    "object": ({"x": object()}, "/x", "an object"),
    "half a pair": ({"x": "\ud800"}, "/x", "surrogate"),
    "half a pair as a name": ({"\udfff": 1}, "/\\udfff", "surrogate"),
    "number as a name": ({"x": {1: 2}}, "/x/1", "names"),
    "slash in a name": ({"a/b~": {1}}, "/a~1b~0", "a set"),
    "within itself": ({"x": IN_ITSELF}, "/x/0/0", "within itself"),
    "integer beyond all": ({"x": 10**5000}, "/x", "too long"),
}


@pytest.mark.parametrize("case", UNSAYABLE)
def test_what_json_cannot_say_is_named_with_its_place_before_anything_is_sent(server: Any, case: str) -> None:
    value, pointer, said = UNSAYABLE[case]

    with Client() as client, pytest.raises(InvalidBodyError) as caught:
        client.jobs.create(SPEC | value)

    assert caught.value.errors[0]["pointer"].startswith(pointer)
    assert said in str(caught.value)
    assert {InvalidRequestError, ValueError} < set(type(caught.value).__mro__)
    assert server.requests == []


@pytest.mark.parametrize("spec", [None, "spec.json", [SPEC], 5, b"{}"], ids=ascii)
def test_a_spec_that_is_no_mapping_is_refused_by_every_door(server: Any, spec: Any) -> None:
    with Client() as client:
        for door in (client.jobs.create, client.jobs.validate, client.sweeps.create, client.sweeps.validate):
            with pytest.raises(InvalidBodyError, match="as a mapping, received"):
                door(spec)

    assert server.requests == []


@pytest.mark.parametrize("patch", [{"training": {"epochs": 2}}, "[]", [1], None, 3], ids=ascii)
def test_what_is_no_patch_is_answered_with_an_example_of_one(server: Any, patch: Any) -> None:
    with Client() as client, pytest.raises(InvalidBodyError, match='"op": "replace"'):
        client.jobs.rerun("job_" + "0" * 26, patch)

    assert server.requests == []


def test_at_most_a_hundred_places_are_named() -> None:
    with pytest.raises(InvalidBodyError) as caught:
        encode_body({"x": [float("nan")] * 10_000})

    assert len(caught.value.errors) == 100


def test_what_can_be_said_is_said() -> None:
    said = encode_body({"a": (1, np.int64(2)), "b": [True, None, "é😀"], "c": 1e-300})

    assert json.loads(said) == {"a": [1, 2], "b": [True, None, "é😀"], "c": 1e-300}
