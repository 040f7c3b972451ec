from pathlib import Path
from typing import Any

import pytest


def test_python_m_regclient_is_the_command(regcore: Any) -> None:
    done = regcore("--help")

    assert done.returncode == 0
    assert "regcore up" in done.stdout
    assert done.stderr == ""


def test_ctrl_c_while_it_still_imports_is_130_and_no_traceback(
    regcore: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "httpx2.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    done = regcore("jobs")

    assert (done.returncode, done.stderr) == (130, "")


def test_a_package_that_is_missing_is_one_line_and_70(
    regcore: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "httpx2.py").write_text("raise ImportError('No module named httpx2')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    done = regcore("jobs")

    assert done.returncode == 70
    assert done.stderr.startswith("Error: regcore cannot start (ImportError: No module named httpx2).")
    assert done.stderr.count("\n") == 1
