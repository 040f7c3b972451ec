from pathlib import Path

import pytest
from pydantic import ValidationError

from jobs.settings import PREFIX, SECRETS, Settings


def test_everything_has_a_default_in_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    settings = Settings()

    assert settings.data_dir == tmp_path / ".regcore"
    assert settings.database_url == f"sqlite:///{tmp_path}/.regcore/regcore.db"
    assert settings.artifacts_dir == tmp_path / ".regcore" / "artifacts"
    assert settings.data_sets_dir == tmp_path / ".regcore" / "datasets"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_described(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description
    assert description.endswith(".")


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "DATA_DIR": str(tmp_path),
        "SLOTS": "4",
        "LEASE_S": "2.5",
        "ALLOWED_HOSTS": "a.example, *.b.example,::1,",
        "TRUSTED_PROXIES": "10.0.0.0/8, ::1,*",
        "PUBLIC_URL": "",
    }
    for name, value in values.items():
        monkeypatch.setenv(PREFIX + name, value)

    settings = Settings()

    assert (settings.data_dir, settings.slots, settings.lease_s) == (tmp_path, 4, 2.5)
    assert settings.allowed_hosts == ("a.example", "*.b.example", "::1")
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1", "*")
    assert settings.public_url is None, "an empty variable is one that is not set"


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_may_come_from_a_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {
        "database_url": "postgresql+psycopg://u:p@host/name",
        "redis_url": "redis://:p@host/0",
        "artifacts_url": "file:///srv/artifacts",
        "server_secret": "s" * 32,
    }
    file = tmp_path / "secret"
    file.write_text(values[name] + "\n")
    monkeypatch.setenv(f"{PREFIX}{name.upper()}_FILE", str(file))

    value = getattr(Settings(), name)

    assert (value.get_secret_value() if name == "server_secret" else value) == values[name]


def test_a_variable_wins_over_a_file_and_an_argument_over_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("redis://from-file")
    monkeypatch.setenv("REGCORE_REDIS_URL_FILE", str(file))
    monkeypatch.setenv("REGCORE_REDIS_URL", "redis://from-variable")

    assert Settings().redis_url == "redis://from-variable"
    assert Settings(redis_url="redis://from-argument").redis_url == "redis://from-argument"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_urls_get_their_driver(scheme: str) -> None:
    assert Settings(database_url=f"{scheme}://u@h/n").database_url == "postgresql+psycopg://u@h/n"


@pytest.mark.parametrize(
    "wrong",
    [
        {"database_url": "mysql://h/n"},
        {"database_url": "sqlite:///:memory:"},
        {"database_url": "sqlite://"},
        {"artifacts_url": "s3://bucket"},
        {"public_url": "train.example.org"},
        {"public_url": "https://train.example.org/?a=b"},
        {"public_url": "https://train.example.org/#jobs"},
        {"public_url": "https://"},
        {"public_url": "https:///regcore"},
        {"public_url": "https://admin:sesame@train.example.org"},
        {"public_url": "https://train.example.org:https"},
        {"public_url": "https://[::1"},
        {"public_url": "ftp://train.example.org"},
        {"allowed_hosts": "train.example.org:8000"},
        {"allowed_hosts": "https://train.example.org"},
        {"allowed_hosts": "*example.org"},
        {"trusted_proxies": "proxy.example.org"},
        {"trusted_proxies": "10.0.0.1/8"},
        {"trusted_proxies": "10.0.0.0/8, 300.1.1.1"},
        {"priority_step_s": -1},
        {"priority_step_s": float("inf")},
        {"slots": 0},
        {"slots": "many"},
        {"port": 70_000},
        {"lease_s": 0},
        {"server_secret": "short"},
        {"idempotency_ttl_s": 60},
        {"no_such_setting": 1},
    ],
)
def test_a_wrong_setting_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_the_server_secret_is_not_shown() -> None:
    assert "sesame" not in repr(Settings(server_secret="open sesame open sesame open sesame"))
