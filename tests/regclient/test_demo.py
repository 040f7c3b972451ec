import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PIL import Image

from regclient.demo import DATA_DIR_NAME, REGULARIZERS, demo_spec
from regclient.stack.process import wait_until
from regcore.spec import parse_spec

NUMBER = r"\b\d[\d,]*(?:\.\d+)?"
DEMO = [sys.executable, "-m", "regclient.demo", "--output"]


def test_the_four_jobs_are_valid_and_alike_but_for_their_regularizers() -> None:
    specs = [parse_spec(demo_spec(name, kinds)).model_dump() for name, kinds in REGULARIZERS.items()]

    alike = [{key: value for key, value in spec.items() if key not in ("name", "regularizers")} for spec in specs]
    assert alike == [alike[0]] * 4
    assert [spec["name"] for spec in specs] == ["none", "L1", "L2", "dropout"]


def test_the_demo_shows_what_each_regularizer_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    done = subprocess.run([*DEMO, str(tmp_path / "demo.png")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.split()[:1] != [] and " s" in line}
    numbers = {name: [float(text.replace(",", "")) for text in re.findall(NUMBER, rows[name])] for name in REGULARIZERS}
    train, test, gap, zeros, norm = ({name: row[at] for name, row in numbers.items()} for at in (0, 1, 2, 6, 7))
    assert train["none"] < test["none"] / 10
    assert all(gap[name] < 0.85 * gap["none"] for name in ("L1", "L2", "dropout"))
    assert zeros["L1"] > 10_000
    assert zeros["none"] == zeros["L2"] == zeros["dropout"] == 0
    assert norm["L2"] < 0.7 * norm["none"]
    assert "…" not in done.stdout
    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.width > 1000


def test_an_interrupted_demo_leaves_nothing(tmp_path: Path, is_alive: Callable[[psutil.Process], bool]) -> None:
    with (tmp_path / "out").open("wb") as out:
        demo = subprocess.Popen([*DEMO, str(tmp_path / "demo.png")], stdout=out, stderr=out)
    assert wait_until(lambda: "worker   ready" in (tmp_path / "out").read_text(), 90)
    family = psutil.Process(demo.pid).children(recursive=True)

    demo.send_signal(signal.SIGINT)

    assert demo.wait(60) == 130
    assert "everything is stopped" in (tmp_path / "out").read_text()
    # A runner whose worker took too long to stop, and was killed, ends a moment later by itself.
    assert wait_until(lambda: not any(map(is_alive, family)), 60)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_killed_demo_leaves_nothing_but_its_data_directory(
    tmp_path: Path, is_alive: Callable[[psutil.Process], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = tmp_path / "temporary"
    watched.mkdir()
    monkeypatch.setenv("TMPDIR", str(watched))
    with (tmp_path / "out").open("wb") as out:
        demo = subprocess.Popen([*DEMO, str(tmp_path / "demo.png")], stdout=out, stderr=out)
    assert wait_until(lambda: "worker   ready" in (tmp_path / "out").read_text(), 90)
    family = psutil.Process(demo.pid).children(recursive=True)

    demo.kill()
    demo.wait()

    assert wait_until(lambda: not any(map(is_alive, family)), 60)
    assert list(watched.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [DATA_DIR_NAME, "out", "temporary"]
