import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

Commands = Callable[..., subprocess.CompletedProcess[str]]

BASE: dict[str, Any] = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
AXIS = {"pointer": "/regularizers/0/strength", "range": {"kind": "log", "low": 1e-6, "high": 1, "num_points": 3}}
SPECS: dict[str, dict[str, Any]] = {
    "path": {"base": BASE, "axes": [AXIS]},
    "comparison": {"base": BASE, "variants": [{"name": "l2"}, {"name": "dropout"}]},
    "ablation": {"base": BASE, "strategy": {"kind": "ablation"}},
}


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("path", "1 s.e."),
        ("comparison", "The comparison comes once all members have ended"),
        ("ablation", "The ablation comes once all members have ended"),
    ],
)
@pytest.mark.parametrize("command", ["sweep", "show"])
def test_a_running_sweep_shows_what_is_known(
    commands: Commands, server: Any, command: str, view: str, said: str
) -> None:
    commands("sweep", "-", stdin=json.dumps({"name": "n", **SPECS[view]}))
    [sweep] = server.sweeps.values()
    server.refused_views = dict.fromkeys(("comparison", "ablation"), "Its members are judged once all have ended.")

    for_people = commands(command, sweep["name"])
    for_programs = commands(command, sweep["id"], "--json")

    assert (for_people.returncode, for_programs.returncode) == (0, 0)
    for expected in ("running", "2 succeeded", "0.25 [0.2, 0.3]", said):
        assert expected in for_people.stdout
    assert json.loads(for_programs.stdout)["counts"]["succeeded"] == 2
    assert (view in json.loads(for_programs.stdout)) is (view == "path")


def test_a_sweep_that_has_no_such_view_says_why(commands: Commands, server: Any) -> None:
    commands("sweep", "-", stdin=json.dumps({**SPECS["comparison"], "name": "n"}))
    [sweep] = server.sweeps.values()
    server.refused_views = {"comparison": "A comparison needs two variants or more."}
    sweep["state"] = "succeeded"

    done = commands("sweep", "n")

    assert done.returncode == 0
    assert "No comparison: A comparison needs two variants or more." in done.stdout


def test_show_of_a_sweep_says_what_it_tries(commands: Commands, server: Any) -> None:
    spec = {**SPECS["path"], "name": "n", "seeds": [0, 1], "objective": {"metric": "validation/loss", "mode": "min"}}
    commands("sweep", "-", stdin=json.dumps(spec))

    lines = [" ".join(line.split()) for line in commands("show", "n").stdout.splitlines()]

    for expected in (
        "name n",
        "created 2026-11-23 07:41:09 UTC",
        "axis /regularizers/0/strength log low=1e-06 high=1 num_points=3",
        "seeds 0, 1",
        "objective validation/loss min",
        "base /data builtin name=digits",
    ):
        assert expected in lines
