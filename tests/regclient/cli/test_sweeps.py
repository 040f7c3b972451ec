import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Regcore = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.usefixtures("server")

BASE = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}
AXIS = {"pointer": "/regularizers/0/strength", "range": {"kind": "log", "low": 1e-6, "high": 1, "num_points": 3}}
SPECS: dict[str, dict[str, Any]] = {
    "path": {"name": "strengths", "base": BASE, "axes": [AXIS]},
    "comparison": {"base": BASE, "variants": [{"name": "l2"}, {"name": "dropout"}]},
    "ablation": {"base": BASE, "strategy": {"kind": "ablation"}},
}


@pytest.fixture
def spec_file(tmp_path: Path) -> Callable[[str], str]:
    def write(view: str) -> str:
        file = tmp_path / f"{view}.json"
        file.write_text(json.dumps(SPECS[view]))
        return str(file)

    return write


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("path", ["1 s.e.", "┊ one standard error: 0.01", "zeros"]),
        ("comparison", ["dropout − l2", "helps", "0.5 [0.4, 0.6]"]),
        ("ablation", ["What each regularizer contributes", "dropout"]),
    ],
)
def test_sweep_follow_shows_leaderboard_and_view_and_draws_it(
    regcore: Regcore,
    server: Any,
    spec_file: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    view: str,
    said: list[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    server.ends_after_gets = 2

    done = regcore("sweep", spec_file(view), "--follow", "--plot", str(tmp_path / "plot.png"))

    assert done.returncode == 0
    assert "4 of 4 ended" in done.stderr
    for expected in ["succeeded", "0.25 [0.2, 0.3]", *said]:
        assert expected in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= 80
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.width > 500


def test_sweep_without_follow_says_which_it_is_and_it_can_be_looked_at(
    regcore: Regcore, server: Any, spec_file: Callable[[str], str]
) -> None:
    made = regcore("sweep", "-", stdin=json.dumps(SPECS["path"])).stdout
    [sweep_id] = server.sweeps
    seen = json.loads(regcore("sweep", sweep_id, "--json").stdout)

    assert made == f"{sweep_id}  running\n"
    assert seen["path"]["best_value"] == 0.001
    assert seen["counts"] == {"succeeded": 2, "running": 1, "queued": 1}


def test_a_cancelled_sweep_is_1_and_one_that_is_not_over_is_124(
    regcore: Regcore, server: Any, spec_file: Callable[[str], str]
) -> None:
    waited = regcore("sweep", spec_file("ablation"), "--follow", "--timeout-s", "0.2")
    [sweep_id] = server.sweeps
    cancelled = regcore("cancel", sweep_id, "--json")
    followed = regcore("sweep", sweep_id, "--follow", "--json")

    assert waited.returncode == 124
    assert json.loads(cancelled.stdout)["state"] == "cancelled"
    assert followed.returncode == 1
    assert json.loads(followed.stdout)["ablation"]["correction"] == "holm"


def test_sweeps_lists_them(regcore: Regcore, server: Any, spec_file: Callable[[str], str]) -> None:
    nothing = regcore("sweeps").stdout
    regcore("sweep", spec_file("path"))

    assert nothing.startswith("No sweeps.")
    assert "strengths" in regcore("sweeps").stdout
    assert len(json.loads(regcore("sweeps", "--json").stdout)) == 1


@pytest.mark.parametrize(
    ("spec", "options", "said"),
    [
        ("path", ["--plot", "plot.png"], "--plot needs --follow"),
        ("path", ["--follow", "--plot", "plot.bmp"], "ends in .png"),
        ("path", ["--follow", "--plot", "nowhere/plot.png"], "There is no directory nowhere"),
        ("several", ["--follow", "--plot", "plot.png"], "one numeric axis"),
    ],
)
def test_what_could_not_be_drawn_is_a_usage_error_before_anything_is_submitted(
    regcore: Regcore, server: Any, spec: str, options: list[str], said: str
) -> None:
    body = SPECS.get(spec) or {"base": BASE, "axes": [AXIS, AXIS]}

    done = regcore("sweep", "-", *options, stdin=json.dumps(body))

    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert server.sweeps == {}


def test_an_unknown_sweep_is_5(regcore: Regcore) -> None:
    assert regcore("sweep", "swp_x").returncode == 5


def test_compare_says_what_differs_and_draws_it(regcore: Regcore, server: Any, tmp_path: Path) -> None:
    plot = str(tmp_path / "plot.png")

    one, two, three = (f"job_{number:026}" for number in range(3))

    done = regcore("compare", f"none={one},{two}", f"l1={three}", "--metric", "test/accuracy", "--plot", plot)

    groups = [{"name": "none", "job_ids": [one, two]}, {"name": "l1", "job_ids": [three]}]
    assert server.bodies == [{"groups": groups, "metric": "test/accuracy"}]
    assert done.returncode == 0
    assert "l1 − none" in done.stdout
    assert (tmp_path / "plot.png").exists()


@pytest.mark.parametrize("groups", [["a"], ["a="], ["=job_1"], ["a=job_1"], ["a=job_1", "a=job_2"]])
def test_groups_that_cannot_be_read_are_a_usage_error(regcore: Regcore, server: Any, groups: list[str]) -> None:
    assert regcore("compare", *groups).returncode == 2
    assert server.bodies == []


def test_compare_as_json_is_the_servers_own(regcore: Regcore) -> None:
    done = regcore("compare", f"a=job_{1:026}", f"b=job_{2:026}", "--json")

    assert json.loads(done.stdout)["differences"][0]["group"] == "b"


def test_the_leaderboard_says_when_it_is_cut_and_all_shows_the_rest(commands: Regcore, server: Any) -> None:
    commands("sweep", "-", stdin=json.dumps(SPECS["path"]))
    [body] = server.sweeps.values()
    leader = body["leaderboard"][0]
    body["leaderboard"] = [leader | {"rank": rank, "values": {"/a": f"value {rank}"}} for rank in range(1, 13)]
    body["num_members"] = 12
    body["spec"] = body["spec"] | {"seeds": [0]}

    cut, whole = commands("sweep", "last").stdout, commands("sweep", "last", "--all").stdout

    assert "10 of 12 shown; --all shows more." in cut
    assert "value 11" not in cut
    assert "value 12" in whole
    assert "shown" not in whole


def test_sweeps_says_when_there_are_more(commands: Regcore, server: Any) -> None:
    commands("sweep", "-", stdin=json.dumps(SPECS["path"]))
    server.sweeps["other"] = {**next(iter(server.sweeps.values())), "name": "other"}

    cut, whole = commands("sweeps", "--limit", "1").stdout, commands("sweeps", "--limit", "2").stdout

    assert "The newest 1; there are more. --limit 5 shows more of them." in cut
    assert "more" not in whole
    assert len(json.loads(commands("sweeps", "--limit", "1", "--json").stdout)) == 1
    assert "strengths" not in commands("sweeps", "--name", "other").stdout


def test_set_changes_a_sweep_s_base_and_seeds_are_so_many(commands: Regcore, server: Any) -> None:
    done = commands("sweep", "-", "--set", "training.epochs=2", "--seeds", "5", stdin=json.dumps(SPECS["path"]))

    assert done.returncode == 0
    assert server.bodies[0]["base"] == {**BASE, "training": {"epochs": 2}}
    assert server.bodies[0]["seeds"] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("arguments", "spec", "said"),
    [
        (["sweep", "nothing"], {}, "expected a file, or a sweep's id"),
        (["sweep", "nothing.json"], {}, "No such file"),
        (["sweep", "."], {}, "expected a file, or a sweep's id"),
        (["sweep", "-"], BASE, "`regcore submit -` submits it"),
        (["submit", "-"], SPECS["path"], "`regcore sweep -` submits it"),
        (["sweep", "swp_" + "0" * 26, "--seeds", "2"], {}, "is not a file"),
        (["sweep", "-", "--set", "x"], SPECS["path"], "expected PATH=VALUE"),
        (["sweep", "-", "--seeds", "0"], SPECS["path"], "--seeds"),
        (["compare", "nothing"], {}, "expected NAME=JOB[,JOB]..."),
    ],
)
def test_what_is_no_sweep_is_a_usage_error_that_says_what_is_expected(
    commands: Regcore, server: Any, arguments: list[str], spec: dict[str, Any], said: str
) -> None:
    done = commands(*arguments, stdin=json.dumps(spec))

    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert server.bodies == []


def test_compare_takes_a_sweep_for_its_variants_and_in_a_group_for_its_best(commands: Regcore, server: Any) -> None:
    commands("sweep", "-", stdin=json.dumps(SPECS["comparison"] | {"name": "n"}))
    [sweep_id] = server.sweeps
    best = server.sweeps[sweep_id]["best"]["job_ids"]
    server.refused_views = {"comparison": "The sweep is running."}
    early = commands("compare", sweep_id)
    server.refused_views = {}

    variants = commands("compare", "n", "--metric", "test/accuracy")
    asked = server.queries[-1]
    groups = commands("compare", "a=n", f"b=job_{7:026}")

    assert (early.returncode, variants.returncode, groups.returncode) == (5, 0, 0)
    assert "dropout − l2" in variants.stdout
    assert asked == (f"/v1/sweeps/{sweep_id}/comparison", {"metric": "test/accuracy"})
    assert server.bodies[-1]["groups"] == [
        {"name": "a", "job_ids": best},
        {"name": "b", "job_ids": [f"job_{7:026}"]},
    ]


def test_a_sweep_without_a_best_cannot_be_in_a_group(commands: Regcore, server: Any) -> None:
    commands("sweep", "-", stdin=json.dumps(SPECS["path"]))
    [body] = server.sweeps.values()
    body["best"] = None

    done = commands("compare", f"a={body['id']}", f"b=job_{7:026}")

    assert done.returncode == 2
    assert "none of its members has succeeded" in " ".join(done.stderr.replace("│", " ").split())
