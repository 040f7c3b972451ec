import os
import re
from pathlib import Path
from typing import Any

import pytest

from regclient.stack.doctor import examine
from regclient.stack.embedded_redis import BUNDLED_VARIABLE
from regcore.kinds import PluginError


@pytest.fixture(autouse=True)
def told_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """To import torch takes longer than all the rest; `tests/regclient/cli/test_server.py` has doctor do it."""
    monkeypatch.setattr("regclient.stack.doctor._PROBE_TORCH", "print('2.14.1', 1)")


def test_a_healthy_machine_with_a_server(server: Any) -> None:
    findings = {finding.name: finding for finding in examine()}

    assert findings["torch"].message == "torch 2.14.1, 1 GPU"
    assert findings["server"].status == "ok"
    assert findings["workers"].message == "1 ready"
    assert findings["data dir"].message.endswith("(will be made)")


def test_a_refused_key_is_a_problem(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_API_KEY", "rc_wrong")

    assert {finding.name: finding.status for finding in examine()}["server"] == "problem"


def test_no_server_is_only_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from regclient.stack.up import free_port

    monkeypatch.setenv("REGCORE_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path))

    assert {finding.name: finding.status for finding in examine()}["server"] == "warning"


def test_the_redis_that_up_would_start_is_named_with_its_version(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BUNDLED_VARIABLE, "1")

    (finding,) = [finding for finding in examine() if finding.name == "redis"]

    assert finding.status == "ok"
    assert re.fullmatch(r"Valkey \d+\.\S+, /.*/valkey-server", finding.message)


def test_a_redis_that_does_not_run_is_a_problem(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "redis-server"
    binary.write_text("#!/bin/sh\nexit 1\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv(BUNDLED_VARIABLE, raising=False)

    (finding,) = [finding for finding in examine() if finding.name == "redis"]

    assert finding.status == "problem"
    assert f"Expected {binary} to be a Redis or a Valkey that runs" in finding.message


def test_artifacts_that_cannot_be_checked_are_a_problem(server: Any) -> None:
    (finding,) = [finding for finding in examine(artifacts=True) if finding.name == "artifacts"]

    assert finding.status == "problem"
    assert "There is no database at" in finding.message


def test_artifacts_are_read_only_where_that_is_asked_for(server: Any) -> None:
    assert "artifacts" not in {finding.name for finding in examine()}


def test_a_variable_that_nothing_reads_is_named_with_what_was_meant(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGCORE_LEASES_S", "3")
    monkeypatch.setenv("REGCORE_PORT", "tcp://10.96.0.12:8000")

    found = [(finding.status, finding.message) for finding in examine() if finding.name == "settings"]

    assert found == [
        ("warning", "REGCORE_LEASES_S is set, and no setting has this name. Did you mean REGCORE_LEASE_S?")
    ]


def test_a_setting_that_cannot_be_used_is_a_problem(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_LEASE_S", "abc")

    (finding,) = [finding for finding in examine() if finding.name == "settings"]

    assert finding.status == "problem"
    assert finding.message.startswith("REGCORE_LEASE_S: expected a number")


def test_a_folder_in_which_others_may_replace_files_is_a_warning(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path))
    tmp_path.chmod(0o777)
    first = {finding.name: finding.status for finding in examine()}["data dir"]
    tmp_path.chmod(0o1777)
    second = {finding.name: finding.status for finding in examine()}["data dir"]

    assert (first, second) == ("warning", "ok")


def test_plugins_of_this_machine_are_named_and_workers_that_lack_one(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_any = [finding for finding in examine() if finding.name == "plugins"]
    monkeypatch.setattr("regclient.stack.doctor.plugins", lambda: ["acme", "torch"])  # a worker tells torch's version

    here, lacking = [finding for finding in examine() if finding.name == "plugins"]

    assert without_any == []
    assert (here.status, here.message) == ("ok", "acme, torch")
    assert lacking.status == "warning"
    assert lacking.message.startswith("acme is here and not on wrk_")


def test_a_plugin_that_cannot_be_imported_is_a_problem(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[str]:
        raise PluginError("the plugin 'acme_regcore' of acme cannot be imported")

    monkeypatch.setattr("regclient.stack.doctor.plugins", broken)

    assert [(one.status, one.message) for one in examine() if one.name == "plugins"] == [
        ("problem", "the plugin 'acme_regcore' of acme cannot be imported")
    ]
