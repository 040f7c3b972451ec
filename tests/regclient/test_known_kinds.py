import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from plugins import install_plugin

from regclient.known_kinds import headline_metrics, metric_named, task_named
from regcore.tasks import Task

COMMAND = str(Path(sys.executable).with_name("regcore"))


def test_kinds_of_a_newer_server_are_no_error() -> None:
    assert task_named("segmentation") is Task
    assert metric_named("dice") is None


def test_what_people_look_at_first_comes_task_by_task() -> None:
    assert task_named("classification").headlines[0] == headline_metrics(of_each=1)[0]
    assert set(headline_metrics(of_each=1)) < set(headline_metrics())
    assert all(metric_named(name) for name in headline_metrics())


def test_the_command_line_starts_without_the_spec() -> None:
    code = "import sys, regclient.cli.entry; print([name for name in ('regcore.spec', 'numpy') if name in sys.modules])"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def beside_a_broken_plugin(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command where an installed package cannot be imported."""
    install_plugin(tmp_path, code="import a_module_that_is_not_there")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}
        return subprocess.run(
            [COMMAND, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_a_broken_plugin_stops_only_what_needs_the_kinds(
    beside_a_broken_plugin: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")

    shown = beside_a_broken_plugin("--version")
    refused = beside_a_broken_plugin("predict", "model", "rows.csv")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert refused.returncode == 1
    assert "acme-regcore cannot be imported" in refused.stderr
    assert "a fault of regcore" not in refused.stderr
