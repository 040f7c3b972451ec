import json
from pathlib import Path
from typing import Any

import pytest

from jobs.check_settings import main


def test_a_parent_of_the_servers_learns_what_they_will_read(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    secret = tmp_path / "redis"
    secret.write_text("redis://:sesame@127.0.0.1:1\n")
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path / "regcore"))
    monkeypatch.setenv("REGCORE_PORT", "tcp://10.96.0.12:8000")
    monkeypatch.setenv("REGCORE_DRAIN_GRACE_S", "7")
    monkeypatch.setenv("REGCORE_REDIS_URL_FILE", str(secret))

    status = main()

    assert status == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "host": "127.0.0.1",
        "port": 8000,
        "data_dir": str(tmp_path / "regcore"),
        "key_path": str(tmp_path / "regcore" / "api-key"),
        "slots": "auto",
        "drain_grace_s": 7,
        "has_redis_url": True,
        "redis_fault": found["redis_fault"],
        "notes": [],
    }


@pytest.mark.parametrize("answers", [True, False])
def test_a_redis_that_does_not_answer_is_told_without_its_password(
    answers: bool, monkeypatch: pytest.MonkeyPatch, capsys: Any, redis_url: str
) -> None:
    monkeypatch.setenv("REGCORE_REDIS_URL", redis_url if answers else "redis://:sesame@127.0.0.1:1/0")

    main()

    fault = json.loads(capsys.readouterr().out)["redis_fault"]
    assert fault is None if answers else "refused" in fault
    assert "sesame" not in str(fault)


def test_the_first_key_is_that_of_the_settings(monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("REGCORE_BOOTSTRAP_KEY_FILE", str(tmp_path / "key"))

    main()

    assert json.loads(capsys.readouterr().out)["key_path"] == str(tmp_path / "key")


def test_two_variables_for_one_secret_and_unknown_ones_are_noted(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("REGCORE_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("REGCORE_REDIS_URL_FILE", "/nothing")
    monkeypatch.setenv("REGCORE_POOOL", "x")

    main()

    assert json.loads(capsys.readouterr().out)["notes"] == [
        "REGCORE_REDIS_URL and REGCORE_REDIS_URL_FILE are both set; the file is not read. Unset one of them.",
        "REGCORE_POOOL is set, and no setting has this name. Did you mean REGCORE_POOL?",
    ]


def test_a_wrong_setting_is_a_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("REGCORE_SERVER_SECRET_FILE", "/nothing")

    status = main()

    assert status == 2
    assert capsys.readouterr().err == (
        "REGCORE_SERVER_SECRET_FILE: expected '/nothing' to be a file with the value as UTF-8 text; "
        "it cannot be read (No such file or directory).\n"
    )
