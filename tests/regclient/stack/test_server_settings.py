import os
import sys
from pathlib import Path

import pytest

from regclient.stack.server_settings import (
    NoServersError,
    StackOptions,
    WrongSettingError,
    read_server_settings,
    stack_options,
    with_options,
)


def test_options_win_over_the_environment_and_those_that_were_not_given_do_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGCORE_PORT", "1")
    monkeypatch.setenv("REGCORE_SLOTS", "2")
    monkeypatch.setenv("REGCORE_DRAIN_GRACE_S", "7")

    found = read_server_settings(with_options(port=3, slots=None, data_dir=tmp_path))

    key_path = tmp_path / "api-key"
    assert stack_options(found) == StackOptions(
        port=3, slots="2", data_dir=tmp_path, key_path=key_path, stop_grace_s=12
    )


def test_what_kubernetes_says_of_a_service_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_PORT", "tcp://10.96.0.12:8000")

    assert read_server_settings(os.environ)["port"] == StackOptions().port


def test_a_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WrongSettingError) as raised:
        read_server_settings(with_options(slots=0))

    expected = "REGCORE_SLOTS or --slots: expected auto or a whole number from 1 to 256; received '0'."
    assert str(raised.value) == expected


def test_a_redis_that_a_file_names_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "redis").write_text("redis://127.0.0.1:1\n")
    monkeypatch.setenv("REGCORE_REDIS_URL_FILE", str(tmp_path / "redis"))

    assert stack_options(read_server_settings(os.environ)).has_redis_url


def test_folders_of_the_users_that_are_called_as_ours_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "__init__.py").write_text("raise SystemExit('the one of the user was run')")
    monkeypatch.chdir(tmp_path)

    assert read_server_settings(os.environ)["data_dir"] == str(tmp_path / ".regcore")


def test_where_the_servers_are_not_installed_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.symlink_to(getattr(sys, "_base_executable", sys.executable))
    monkeypatch.setattr("sys.executable", str(bare))

    with pytest.raises(NoServersError, match=r"No module named 'jobs'.*Install them there: `pip install"):
        read_server_settings(os.environ)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_the_url_is_one_that_this_machine_can_open(host: str, url: str) -> None:
    assert StackOptions(host=host, port=80).url == url
