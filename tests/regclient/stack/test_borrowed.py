from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from regclient.errors import ServerUnreachableError
from regclient.stack.borrowed import borrowed_server
from regclient.stack.ports import free_port


def test_the_server_that_is_there_is_used_and_left_running(stack: Any) -> None:
    announced: list[str] = []

    with borrowed_server(lambda part, line: announced.append(line), max_retries=0) as server:
        assert not server.is_own
        assert server.client.workers()

    assert announced == []
    assert stack.process.poll() is None


def test_without_one_a_server_runs_for_the_time_and_keeps_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path / "data"))
    before = set(psutil.Process().children())

    with suppress(ZeroDivisionError), borrowed_server(lambda *_: None, max_retries=0) as server:
        assert server.is_own
        assert server.client.workers()
        server.look_after()
        # Its own alone: a stack of other tests starts runners whenever it likes.
        parts = set(psutil.Process().children()) - before
        family = parts.union(*(part.children(recursive=True) for part in parts))
        raise ZeroDivisionError

    assert len(family) > len(parts) > 0
    assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    assert list((tmp_path / "data").glob("*.sqlite*")) or list((tmp_path / "data").glob("*.db*"))


def test_a_server_that_was_named_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("REGCORE_API_KEY", "rc_test_secret")

    with (
        borrowed_server(lambda *_: None, max_retries=0) as server,
        pytest.raises(ServerUnreachableError),
    ):
        server.client.workers()
