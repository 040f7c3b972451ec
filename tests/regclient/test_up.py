import fcntl
import socket
from pathlib import Path

import pytest

from regclient.up import EmbeddedStack, StackError, StackOptions, free_port, require_free_port


def quiet(part: str, line: str) -> None:
    pass


def test_a_port_in_use_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with (
            pytest.raises(StackError, match=f"127.0.0.1:{port} .*choose another --port"),
            EmbeddedStack(StackOptions(port=port, data_dir=tmp_path), quiet),
        ):
            pass

    require_free_port("127.0.0.1", port)


def test_a_data_dir_in_use_is_refused_with_the_pid(tmp_path: Path) -> None:
    with (tmp_path / "up.lock").open("w+") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)

        with (
            pytest.raises(StackError, match=r"pid 4711.*--data-dir"),
            EmbeddedStack(StackOptions(port=free_port(), data_dir=tmp_path), quiet),
        ):
            pass


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80"), ("0.0.0.0", "http://127.0.0.1:80"), ("::", "http://[::1]:80")],
)
def test_the_url_is_one_that_this_machine_can_open(host: str, url: str) -> None:
    assert StackOptions(host=host, port=80).url == url
