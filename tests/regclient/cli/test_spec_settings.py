import copy
from typing import Any

import pytest
import typer

from regclient.cli.spec_settings import apply_settings, change_spec, no_patch, patch_of_settings
from regcore.spec import apply_patch

SPEC: dict[str, Any] = {
    "training": {"epochs": 5},
    "regularizers": [{"kind": "l1", "strength": 0.1}],
    "init_from": None,
    "labels": {"a.b": "x"},
}


@pytest.mark.parametrize(
    ("setting", "changes"),
    [
        ("training.epochs=20", {"training": {"epochs": 20}}),
        ("/training/epochs=20", {"training": {"epochs": 20}}),
        ("training.batch_size=full", {"training": {"epochs": 5, "batch_size": "full"}}),
        ('name="20"', {"name": "20"}),
        ("name=a=b", {"name": "a=b"}),
        ("name=", {"name": ""}),
        ("name=tiny 🙂", {"name": "tiny 🙂"}),
        ("training.compile=true", {"training": {"epochs": 5, "compile": True}}),
        ("regularizers.0.strength=1e-3", {"regularizers": [{"kind": "l1", "strength": 1e-3}]}),
        ("regularizers.1.kind=ema", {"regularizers": [{"kind": "l1", "strength": 0.1}, {"kind": "ema"}]}),
        ('regularizers.-={"kind":"ema"}', {"regularizers": [{"kind": "l1", "strength": 0.1}, {"kind": "ema"}]}),
        ("exports.0.kind=onnx", {"exports": [{"kind": "onnx"}]}),
        ("init_from.job_id=job_1", {"init_from": {"job_id": "job_1"}}),
        ("optimizer.schedule.kind=cosine", {"optimizer": {"schedule": {"kind": "cosine"}}}),
        ("/labels/a.b=y", {"labels": {"a.b": "y"}}),
        ("/labels/c~1d=y", {"labels": {"a.b": "x", "c/d": "y"}}),
    ],
)
def test_a_setting_changes_one_place_of_a_spec_and_of_a_rerun(setting: str, changes: dict[str, Any]) -> None:
    before = copy.deepcopy(SPEC)

    changed = apply_settings(SPEC, [setting])
    patch = patch_of_settings(SPEC, [], [setting])

    assert changed == SPEC | changes
    assert apply_patch(SPEC, patch) == changed
    assert before == SPEC


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("x", "expected PATH=VALUE"),
        ("=1", "expected PATH=VALUE"),
        ("training..epochs=1", "expected PATH=VALUE"),
        ("/=1", "expected PATH=VALUE"),
        ("training.epochs.x=1", "leads into training.epochs, which is 5"),
        ("regularizers.strength=1", "regularizers is a list of 1 item"),
        ("regularizers.3.strength=1", "may name 0 to 1, where 1 adds one"),
        ("regularizers.-1.strength=1", "regularizers is a list"),
        ("model={kind: linear}", "is not valid JSON"),
        ('model={"kind": "mlp", "kind": "cnn"}', "kind"),
        ("training.epochs=NaN", "NaN"),
        ("training.epochs=1e999", "'training.epochs=1e999' cannot be stored: numbers must be finite"),
        ("model=" + "[" * 100_000, "is n"),
    ],
)
def test_a_setting_that_cannot_be_read_says_what_is_expected(setting: str, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        apply_settings(SPEC, [setting])


def test_settings_of_a_rerun_come_after_its_patch() -> None:
    patch = [{"op": "add", "path": "/regularizers/0", "value": {"kind": "ema", "decay": 0.9}}]

    whole = patch_of_settings(SPEC, patch, ["regularizers.1.strength=1"])

    assert apply_patch(SPEC, whole)["regularizers"] == [{"kind": "ema", "decay": 0.9}, {"kind": "l1", "strength": 1}]


def test_a_patch_that_cannot_be_applied_is_left_to_the_server() -> None:
    patch = [{"op": "remove", "path": "/nothing"}]

    assert patch_of_settings(SPEC, patch, ["name=n"]) == patch


@pytest.mark.parametrize(
    ("spec", "num_seeds", "changed"),
    [
        ({"model": {}}, None, {"model": {}, "training": {"epochs": 9}}),
        (
            {"model": {}, "name": "n"},
            2,
            {"name": "n", "base": {"model": {}, "name": "n", "training": {"epochs": 9}}, "seeds": [0, 1]},
        ),
        (
            {"base": {"model": {}}, "seeds": [7]},
            None,
            {"base": {"model": {}, "training": {"epochs": 9}}, "seeds": [7]},
        ),
        (
            {"base": {"model": {}}, "seeds": [7]},
            5,
            {"base": {"model": {}, "training": {"epochs": 9}}, "seeds": [0, 1, 2, 3, 4]},
        ),
    ],
)
def test_settings_change_a_sweep_s_base_and_seeds_make_a_sweep(
    spec: dict[str, Any], num_seeds: int | None, changed: dict[str, Any]
) -> None:
    assert change_spec(spec, ["training.epochs=9"], num_seeds) == changed


def test_a_base_that_is_no_object_is_named() -> None:
    with pytest.raises(typer.BadParameter, match="base is not an object"):
        change_spec({"base": 5}, ["a=1"], None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"training": {"epochs": 20}},
            """Write '[{"op": "replace", "path": "/training/epochs", "value": 20}]', or --set training.epochs=20.""",
        ),
        ({"op": "remove", "path": "/a"}, """Write '[{"op": "remove", "path": "/a"}]'."""),
        ({"regularizers": []}, """"path": "/regularizers", "value": []}]', or --set 'regularizers=[]'."""),
        ({}, """"path": "/training/epochs", "value": 20}]', or --set training.epochs=20."""),
    ],
)
def test_an_object_as_a_patch_is_shown_as_the_list_that_was_meant(given: dict[str, Any], said: str) -> None:
    assert said in no_patch(given)
