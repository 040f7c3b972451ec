"""What a user installs: a clone in place, and a wheel in an environment that has nothing of ours."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest

from regclient.stack.process import wait_until

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "jobs", "worker", "regcore", "regclient")
BUILD = "from setuptools import build_meta; print(build_meta.build_sdist('dist'), build_meta.build_wheel('dist'))"
UP_TIMEOUT_S = 90.0

SCRIPT = "from regcore import JobSpec\nimport api, jobs, worker, regclient\n"
JOB = """
from regclient import Client
from regcore import parse_spec, train
import regcore

spec = {"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}, "training": {"epochs": 1}}
train(parse_spec(spec))
with Client() as client:
    job = client.jobs.create(spec).wait(120, progress=False).refresh()
print(job.state, regcore.__file__)
"""


class Environment:
    """A virtual environment with the packages that ours need, and one of ours once it is installed.

    Args:
        folder: Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder)
        self.python = folder / "bin" / "python"
        self.regcore = folder / "bin" / "regcore"
        # What ours need is borrowed: the folder alone, so that an installation of ours in place is not.
        (packages,) = folder.glob("lib/*/site-packages")
        (packages / "borrowed.pth").write_text(f"{Path(pydantic.__file__).parents[1]}\n")

    def install(self, *what: str) -> "Environment":
        """Install ours without what it needs."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-deps"]
        alone = ["--no-index", "--no-build-isolation", "--ignore-installed"]
        subprocess.run([*pip, *alone, *what], check=True, timeout=120)
        return self

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run its Python to the end."""
        command = [str(self.python), *arguments]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=170, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is needed of a clone, in a folder that is named as the package is."""
    clone = tmp_path_factory.mktemp("work") / "regcore"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, clone / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    return clone


@pytest.fixture(scope="module")
def in_place(clone: Path) -> Environment:
    """An environment with the clone, as `make install` has it; a script and a test lie beside the clone."""
    for name in ("script.py", "test_beside.py"):
        (clone.parent / name).write_text(SCRIPT + "def test_it(): assert JobSpec.__name__")
    return Environment(clone.parent / "in_place").install("-e", str(clone))


@pytest.fixture(scope="module")
def built(clone: Path) -> tuple[Path, Path]:
    """The source distribution and the wheel."""
    command = [sys.executable, "-c", BUILD]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True, timeout=120)
    sdist, wheel = done.stdout.split()[-2:]
    return clone / "dist" / sdist, clone / "dist" / wheel


@pytest.mark.parametrize("place", [".", "regcore", "/"], ids=["beside the clone", "in the clone", "elsewhere"])
def test_a_script_beside_the_clone_imports_the_package_and_not_the_folder(
    place: str, in_place: Environment, clone: Path
) -> None:
    done = in_place.run(str(clone.parent / "script.py"), cwd=clone.parent / place)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [("-m", "script"), ("-c", SCRIPT), ("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_beside.py")],
    ids=["-m", "-c, as a notebook", "pytest"],
)
def test_beside_the_clone_every_way_to_run_python_finds_the_package(
    arguments: tuple[str, ...], in_place: Environment, clone: Path
) -> None:
    done = in_place.run(*arguments, cwd=clone.parent)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(built: tuple[Path, Path], clone: Path) -> None:
    files = [path for name in PACKAGES for path in (clone / name).rglob("*") if path.is_file()]
    ours = {str(path.relative_to(clone)) for path in files if path.suffix != ".pyc"}

    with zipfile.ZipFile(built[1]) as wheel:
        held = set(wheel.namelist())
    with tarfile.open(built[0]) as sdist:
        sources = {name.partition("/")[2] for name in sdist.getnames()}

    about = {name for name in held if name.split("/")[0].endswith(".dist-info")}
    assert held - about == ours
    assert any(name.endswith("licenses/LICENSE") for name in about)
    assert ours | {"pyproject.toml", "README.md", "LICENSE"} <= sources


@pytest.fixture
def served(built: tuple[Path, Path], tmp_path: Path) -> Iterator[Environment]:
    """An environment with the wheel, and `regcore up` of it in `tmp_path`."""
    environment = Environment(tmp_path / "environment").install(str(built[1]))
    command = [str(environment.regcore), "up", "--port", "0", "--json"]
    with (tmp_path / "up.log").open("wb") as log:
        up = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        is_up = wait_until(lambda: up.poll() is not None or "up at" in (tmp_path / "up.log").read_text(), UP_TIMEOUT_S)
        assert is_up, (tmp_path / "up.log").read_text()
        assert up.poll() is None, (tmp_path / "up.log").read_text()
        yield environment
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(60)


def test_a_wheel_in_an_empty_environment_trains_and_serves(served: Environment, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text("raise SystemExit('the one of the user was run')")

    done = served.run("-P", "-c", JOB, cwd=tmp_path)

    assert done.stdout.startswith(f"succeeded {tmp_path}{os.sep}environment"), done.stdout + done.stderr
