import fcntl
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from regclient.process import wait_until
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_even_while_a_job_runs(
    start_up: Any, endless_spec: dict[str, Any], is_alive: Callable[[psutil.Process], bool], number: signal.Signals
) -> None:
    up = start_up().await_up()
    with up.client() as client:
        job = client.jobs.create(endless_spec)
        assert wait_until(lambda: job.refresh().state == "running", 60)
    family = up.family()

    up.process.send_signal(number)

    assert up.process.wait(60) == 0
    assert len(family) >= 4  # Redis, api, worker, runner
    assert [process for process in family if is_alive(process)] == []
    assert up.errors == ""
    assert up.printed.count("stopped\n") == 3
    assert not (up.data_dir / "url").exists()


def test_asked_twice_it_waits_no_longer(start_up: Any, is_alive: Callable[[psutil.Process], bool]) -> None:
    up = start_up().await_up()
    family = up.family()
    up.part("worker").suspend()  # it cannot end by itself

    up.process.send_signal(signal.SIGINT)
    assert wait_until(lambda: "stopping" in up.printed, 20)
    up.process.send_signal(signal.SIGINT)

    assert wait_until(lambda: up.process.poll() is not None, 15)  # less than the grace
    assert wait_until(lambda: not any(is_alive(process) for process in family), 20)


def test_a_signal_while_it_starts_ends_everything(start_up: Any, is_alive: Callable[[psutil.Process], bool]) -> None:
    up = start_up()
    assert wait_until(lambda: "redis" in up.printed, 60)
    family = up.family()

    up.process.send_signal(signal.SIGTERM)

    assert up.process.wait(60) == 0
    assert "stopped before it was up" in up.printed
    assert [process for process in family if is_alive(process)] == []


def test_what_it_prints_is_where_to_go_and_where_the_key_lies(stack: Any) -> None:
    last = stack.printed.splitlines()[-1]

    url = re.search(r"http://127\.0\.0\.1:\d+", last)
    assert url is not None
    assert httpx2.get(f"{url[0]}/readyz").is_success
    assert f"The key: {stack.data_dir / 'api-key'}." in last
    assert stack.data_dir.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("part", ["redis", "api", "worker"])
def test_a_part_that_is_killed_is_named_and_the_others_end(
    start_up: Any, is_alive: Callable[[psutil.Process], bool], part: str
) -> None:
    up = start_up().await_up()
    family = up.family()

    up.part(part).kill()

    assert up.process.wait(60) == 1
    assert f"{part} died (killed by SIGKILL)" in up.errors
    assert f"{part}.log" in up.errors.replace("\n", "")
    assert "Traceback" not in up.errors
    assert wait_until(lambda: not any(is_alive(process) for process in family), 20)


def test_a_second_up_in_the_same_folder_is_refused(stack: Any, regcore: Any) -> None:
    done = regcore("up", "--port", str(free_port()))

    assert done.returncode == 1
    assert f"pid {stack.process.pid}" in done.stderr


def test_an_embedded_stack_starts_and_leaves_nothing(tmp_path: Path) -> None:
    parts: list[str] = []
    before = psutil.Process().children()

    with EmbeddedStack(
        StackOptions(port=free_port(), data_dir=tmp_path / ("long" * 30)), lambda part, line: parts.append(part)
    ) as stack:
        stack.check()
        key = stack.api_key

    assert key.startswith("rc_")
    assert parts == ["redis", "api", "worker", "worker", "api", "redis"]
    assert psutil.Process().children() == before
