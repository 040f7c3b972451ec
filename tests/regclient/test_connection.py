from pathlib import Path

import pytest

from jobs.settings import Settings
from regclient.connection import DEFAULT_URL, data_dir, find_connection, is_loopback
from regclient.up import EmbeddedStack, StackOptions


@pytest.fixture(autouse=True)
def local_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("REGCORE_URL", "REGCORE_API_KEY", "REGCORE_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path))
    (tmp_path / "api-key").write_text("rc_local\n")
    return tmp_path


def test_a_local_server_is_found_by_its_files(local_server: Path) -> None:
    (local_server / "url").write_text("http://127.0.0.1:9000\n")

    found = find_connection()

    assert (found.url, found.api_key) == ("http://127.0.0.1:9000", "rc_local")


def test_the_environment_goes_before_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", "https://far.example/")
    monkeypatch.setenv("REGCORE_API_KEY", "rc_env")

    assert (find_connection().url, find_connection().api_key) == ("https://far.example", "rc_env")


def test_arguments_go_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", "https://far.example/")

    assert find_connection("http://here", "rc_arg").api_key == "rc_arg"


def test_the_local_key_never_goes_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", "https://far.example/")

    assert find_connection().api_key is None


def test_the_key_is_kept_out_of_the_repr() -> None:
    assert "rc_local" not in repr(find_connection())


def test_nothing_at_all_gives_the_default_url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path / "none"))

    assert find_connection().url == DEFAULT_URL
    assert find_connection().api_key is None


@pytest.mark.parametrize("url", ["http://localhost:1", "http://127.0.0.2", "http://[::1]:8000"])
def test_loopback_is_known(url: str) -> None:
    assert is_loopback(url)
    assert not is_loopback("http://10.0.0.1")


def test_the_home_directory_is_found_as_the_servers_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REGCORE_DATA_DIR", "~/regcore")

    assert data_dir() == Settings().data_dir == EmbeddedStack(StackOptions(data_dir=Path("~/regcore")), print).data_dir
