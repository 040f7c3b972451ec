from typing import Any

import pytest

from regclient.display.spec_changes import changes_between, settings_of

SPEC: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
DATA_AND_MODEL = {"/data": "builtin name=digits", "/model": "linear"}


@pytest.mark.parametrize(
    ("more", "settings"),
    [
        ({}, {}),
        ({"name": "n", "labels": {"a": "b"}, "spec_version": 1}, {}),
        ({"training": {"epochs": 20, "seed": 0}}, {"/training/epochs": "20"}),
        ({"training": {"epochs": 10}, "priority": "normal"}, {}),
        ({"optimizer": {"kind": "adam"}}, {"/optimizer": "adam"}),
        ({"optimizer": {"kind": "sgd", "momentum": 0.9}}, {}),
        ({"regularizers": [{"kind": "l1", "strength": 1e-4}]}, {"/regularizers/0": "l1 strength=0.0001"}),
        ({"init_from": {"job_id": "job_1"}}, {"/init_from/job_id": "job_1"}),
        ({"resources": {"max_memory_bytes": None}}, {}),
    ],
)
def test_what_was_set_is_what_differs_from_the_defaults(more: dict[str, Any], settings: dict[str, str]) -> None:
    assert settings_of(SPEC | more) == DATA_AND_MODEL | settings


def test_a_spec_that_this_version_does_not_know_is_shown_whole() -> None:
    assert settings_of({**SPEC, "model": {"kind": "newer", "a": 1}, "more/of": {"b": [1]}}) == {
        "/data": "builtin name=digits",
        "/model": "newer a=1",
        "/more~1of/b": "[1]",
    }


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"training": {"epochs": 5}}, {"training": {"epochs": 7}}, {"/training/epochs": "5 → 7"}),
        ({"name": "a", "labels": {}}, {"name": "b", "labels": {"x": "y"}}, {}),
        ({"init_from": None}, {"init_from": {"job_id": "j"}}, {"/init_from": 'none → {"job_id": "j"}'}),
        (
            {"regularizers": [{"kind": "l1", "strength": 0.1}]},
            {"regularizers": [{"kind": "l1", "strength": 0.2}, {"kind": "dropout", "p": 0.5}]},
            {"/regularizers/0/strength": "0.1 → 0.2", "/regularizers/1": "– → dropout p=0.5"},
        ),
        (
            {"regularizers": [{"kind": "l1", "strength": 0.1}]},
            {"regularizers": []},
            {"/regularizers/0": "l1 strength=0.1 → –"},
        ),
        (
            {"optimizer": {"kind": "sgd", "momentum": 0.9}},
            {"optimizer": {"kind": "adam"}},
            {"/optimizer": "sgd momentum=0.9 → adam"},
        ),
        (
            {"model": {"kind": "mlp", "hidden": [8]}},
            {"model": {"kind": "mlp", "hidden": [8, 8]}},
            {"/model/hidden": "[8] → [8, 8]"},
        ),
    ],
)
def test_changes_are_by_pointer(old: dict[str, Any], new: dict[str, Any], changes: dict[str, str]) -> None:
    assert changes_between(old, new) == changes
