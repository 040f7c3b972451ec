import json
import shlex
from typing import Any

import pytest

from regclient.cli.json_input import read_patch
from regclient.cli.spec_settings import apply_settings
from regclient.display.warning_lines import as_rerun, as_settings, warning_lines
from regcore.spec import apply_patch

SPEC: dict[str, Any] = {"data": {"kind": "file", "exclude": [], "types": {}}, "model": {"kind": "mlp"}}
PATCHES: dict[str, list[dict[str, Any]]] = {
    "word": [{"op": "add", "path": "/data/exclude/-", "value": "rownames"}],
    "column like a number": [{"op": "add", "path": "/data/exclude/-", "value": "2020"}],
    "column like a list": [{"op": "add", "path": "/data/exclude/-", "value": "[x"}],
    "quotes and spaces": [{"op": "add", "path": '/data/types/it\'s a "zip"', "value": "category"}],
    "slash": [{"op": "add", "path": "/data/types/km~1h", "value": "number"}],
    "number": [{"op": "replace", "path": "/model/kind", "value": 7}],
    "object": [{"op": "add", "path": "/task", "value": {"class_weights": "balanced"}}],
    "two": [
        {"op": "add", "path": "/data/exclude/-", "value": "a"},
        {"op": "add", "path": "/data/exclude/-", "value": "b"},
    ],
}


@pytest.mark.parametrize("name", PATCHES)
def test_the_options_do_what_the_patch_does(name: str) -> None:
    options = shlex.split(as_settings(PATCHES[name]))

    assert set(options[::2]) == {"--set"}
    assert apply_settings(SPEC, options[1::2]) == apply_patch(SPEC, PATCHES[name])


@pytest.mark.parametrize("name", PATCHES)
def test_the_command_to_run_a_job_again_has_the_patch(name: str) -> None:
    command = shlex.split(as_rerun("job_0", PATCHES[name]))

    assert command[:4] == ["regcore", "rerun", "job_0", "--patch"]
    assert read_patch(command[4]) == json.loads(command[4]) == PATCHES[name]


def test_a_patch_that_no_option_can_say_has_none() -> None:
    assert as_settings([{"op": "remove", "path": "/task"}]) == ""


def test_a_warning_has_its_place_its_remedy_and_below_it_the_fix() -> None:
    warning = {"pointer": "/data/[b]", "message": "Bad.", "remedy": "Do it.", "patch": PATCHES["word"]}

    lines = list(warning_lines([warning, {"message": "Plain."}], as_settings))

    assert lines == [
        ("[yellow]warning[/]", "/data/\\[b] Bad. Do it."),
        ("", "--set /data/exclude/-=rownames"),
        ("[yellow]warning[/]", "Plain."),
    ]
    assert list(warning_lines(None, as_settings)) == []
