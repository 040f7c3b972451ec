"""`regcore try` against the real stack, with sweeps as small as they can be."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from regclient import Client
from regclient.cli.trial import read_budget_s, read_features, read_model, read_types, stem_of
from regclient.stack.process import wait_until

Regcore = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("text", "budget_s"), [("90", 90), ("20s", 20), ("10m", 600), ("1.5h", 5_400), (" 2 min ", 120)]
)
def test_a_budget_is_a_time(text: str, budget_s: float) -> None:
    assert read_budget_s(text) == budget_s


@pytest.mark.parametrize("text", ["", "0", "-1m", "10 minutes", "m", "nan", "1e400"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="20s, 10m or 1h"):
        read_budget_s(text)


def test_types_are_pairs_and_a_name_may_hold_an_equals_sign() -> None:
    assert read_types(["zip=category", "a=b=number"]) == {"zip": "category", "a=b": "number"}
    with pytest.raises(typer.BadParameter, match="zip=category"):
        read_types(["zip"])


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (None, None),
        ("linear", {"kind": "linear"}),
        ("64,32", {"kind": "mlp", "hidden": [64, 32]}),
        ('{"kind": "mlp", "hidden": [8], "activation": "tanh"}', {"kind": "mlp", "hidden": [8], "activation": "tanh"}),
    ],
)
def test_a_model_is_widths_or_json(text: str | None, model: Any) -> None:
    assert read_model(text) == model


@pytest.mark.parametrize("text", ["deep", "64;32", "[64]", "{"])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="widths such as"):
        read_model(text)


@pytest.mark.parametrize(
    ("text", "features"),
    [
        (None, None),
        ("text", {"kind": "text"}),
        ('{"kind": "image", "size": [64, 64]}', {"kind": "image", "size": [64, 64]}),
    ],
)
def test_features_are_a_kind_or_json(text: str | None, features: Any) -> None:
    assert read_features(text) == features


@pytest.mark.parametrize("text", ["photo", "[64]", "{"])
def test_what_are_no_features_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="table, image, text, audio"):
        read_features(text)


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("a/rows.csv", "rows"),
        ("rows.csv.gz", "rows"),
        ("x.y.parquet", "x.y"),
        ("builtin:wine", "wine"),
        (".csv", "table"),
    ],
)
def test_what_is_left_is_called_as_the_file(file: str, stem: str) -> None:
    assert stem_of(file) == stem


@pytest.fixture
def rows_csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of 90 rows, whose label is read off one column."""
    dice = random.Random(0)
    rows = [(dice.gauss(0, 1), dice.choice(["Oslo", "Rome"])) for _ in range(90)]
    lines = [f"{x:.4f},{city},{'yes' if x > 0 else 'no'}" for x, city in rows]
    (tmp_path / "rows.csv").write_text("\n".join(["x,city,bought", *lines, ""]))
    monkeypatch.chdir(tmp_path)
    return "rows.csv"


@pytest.mark.usefixtures("stack")
def test_a_file_ends_in_a_verdict_a_picture_and_a_spec_that_can_be_submitted(
    rows_csv: str, regcore: Regcore, real_client: Client, tmp_path: Path
) -> None:
    done = regcore("try", rows_csv, "--target", "bought", "--seeds", "1", "--budget", "20s", "--json")

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    names = {one["name"]: one for one in said["verdicts"]}
    assert {"nothing", "constant", "linear"} <= names.keys()  # they go first, for a slow machine
    assert {one["verdict"] for one in said["verdicts"]} <= {"helps", "hurts", "no_measurable_effect"}
    assert names["constant"]["scores"]["accuracy"]["mean"] < names["linear"]["scores"]["accuracy"]["mean"]
    assert (said["classes"], said["task"]) == (["no", "yes"], "classification")
    assert (tmp_path / "rows-try.png").read_bytes().startswith(b"\x89PNG")
    spec = json.loads((tmp_path / "rows-best.json").read_text())
    assert (spec["data"]["kind"], spec["data"]["path"], spec["data"]["target"]) == ("file", "rows.csv", "bought")
    again = real_client.jobs.create(spec).wait(60, progress=False)
    first = real_client.jobs.get(said["job_id"])
    # Not its hash: the winner of a sweep trained in one pass with others, which rounds sums otherwise.
    assert again.result is not None
    assert first.result is not None
    assert again.result["metrics"]["test/loss"] == pytest.approx(first.result["metrics"]["test/loss"], rel=1e-2)
    assert again.resolved_spec["data"]["id"] == first.resolved_spec["data"]["id"]  # nothing was sent twice


@pytest.mark.usefixtures("stack")
def test_whole_rows_are_reconstructed_without_a_target(rows_csv: str, regcore: Regcore, tmp_path: Path) -> None:
    done = regcore("try", rows_csv, "--task", "reconstruction", "--seeds", "1", "--budget", "20s", "--json")

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["task"] == "reconstruction"
    assert "reconstruction_error" in said["verdicts"][0]["scores"]
    assert json.loads((tmp_path / "rows-best.json").read_text())["data"]["target"] is None


@pytest.mark.usefixtures("stack")
def test_ctrl_c_cancels_the_rest_and_judges_what_has_ended(rows_csv: str, real_client: Client, tmp_path: Path) -> None:
    earlier = {sweep.id for sweep in real_client.sweeps.list()}
    command = [sys.executable, "-m", "regclient", "try", rows_csv, "--target", "bought", "--budget", "10m", "--json"]
    with (tmp_path / "printed").open("w") as printed:
        running = subprocess.Popen(command, stdout=printed, stderr=subprocess.STDOUT)

    def trains() -> bool:
        newest = next(real_client.sweeps.list(page_size=1), None)
        return newest is not None and newest.id not in earlier and newest.refresh().counts["succeeded"] > 1

    assert wait_until(trains, 60)
    running.send_signal(signal.SIGINT)

    assert running.wait(60) == 130
    sweep = next(real_client.sweeps.list(page_size=1)).refresh()
    assert sweep.done
    assert sweep.counts["cancelled"] > 0
    said = json.loads((tmp_path / "printed").read_text().splitlines()[-1])
    assert (said["complete"], said["sweep_ids"]) == (False, [sweep.id])


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "which column to predict, one of: x, city, bought."),
        (["--target", "bougth"], "bought"),
        (["--target", "bought", "--types", "citi=number"], "city"),
    ],
)
def test_a_missing_or_misspelt_column_is_answered_with_the_names(
    rows_csv: str, commands: Regcore, arguments: list[str], expected: str
) -> None:
    done = commands("try", rows_csv, *arguments)

    assert done.returncode in (2, 5)
    assert expected in done.stderr


@pytest.mark.usefixtures("stack")
def test_a_file_that_is_no_table_is_refused_with_its_reason(tmp_path: Path, commands: Regcore) -> None:
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n4,5,6\n")

    done = commands("try", str(tmp_path / "ragged.csv"), "--target", "b")

    assert done.returncode == 5
    assert "row" in done.stderr
    assert not (tmp_path / "ragged-best.json").exists()


def test_built_in_data_have_no_columns_to_choose(commands: Regcore) -> None:
    done = commands("try", "builtin:wine", "--target", "class", "--types", "hue=number")

    assert done.returncode == 2
    assert "leave out --target, --types" in " ".join(done.stderr.split())


@pytest.mark.parametrize("file", ["-", "missing.csv"])
def test_what_cannot_be_read_is_refused_before_a_server_is_started(file: str, commands: Regcore) -> None:
    done = commands("try", file, "--target", "y")

    assert done.returncode in (2, 74)
    assert "server" not in done.stderr
