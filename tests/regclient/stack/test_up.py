import errno
import fcntl
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from regclient import Client
from regclient.errors import RegClientError
from regclient.stack.embedded_redis import BUNDLED_VARIABLE
from regclient.stack.process import wait_until
from regclient.stack.server_settings import StackOptions, WrongSettingError
from regclient.stack.up import EmbeddedStack, StackError, free_port, require_free_port, run_stack


@pytest.fixture
def ready_port() -> Iterator[int]:
    """The port of a server that answers 200 to everything."""

    class Yes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

    with HTTPServer(("127.0.0.1", 0), Yes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def quiet(part: str, line: str) -> None:
    pass


def pid_in(line: str) -> int:
    found = re.search(r"pid (\d+)", line)
    assert found is not None, line
    return int(found[1])


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


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_folder_that_was_there_keeps_its_mode_and_what_is_put_into_it_is_the_owners_alone(
    umask: int, tmp_path: Path
) -> None:
    tmp_path.chmod(0o1777)
    before = os.umask(umask)
    try:
        stacks = [EmbeddedStack(StackOptions(data_dir=folder), quiet) for folder in (tmp_path, tmp_path / "made")]
        for stack in stacks:
            stack._take_data_dir()
    finally:
        os.umask(before)

    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o7777 for path in [tmp_path, *tmp_path.rglob("*")]}
    assert modes.pop(".") == 0o1777
    assert {name: mode for name, mode in modes.items() if name.endswith("lock")} == {
        "up.lock": 0o600,
        "made/up.lock": 0o600,
    }
    assert {mode for name, mode in modes.items() if not name.endswith("lock")} == {0o700}
    for stack in stacks:
        stack.stop()


def test_a_lock_that_cannot_be_made_is_one_line_with_the_setting(tmp_path: Path) -> None:
    (tmp_path / "up.lock").mkdir()

    with pytest.raises(WrongSettingError, match=r"^REGCORE_DATA_DIR or --data-dir: .* \(Is a directory: .*up\.lock\)"):
        EmbeddedStack(StackOptions(data_dir=tmp_path), quiet)._take_data_dir()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY", "http_proxy"])
@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_the_api_of_this_machine_is_asked_through_no_proxy(
    name: str, scheme: str, ready_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, f"{scheme}://127.0.0.1:{free_port()}")
    (tmp_path / "api-key").touch()

    assert EmbeddedStack(StackOptions(port=ready_port, data_dir=tmp_path), quiet)._api_ready()


def test_logs_are_cut_while_the_parts_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regclient.stack.process.MAX_LOG_BYTES", 10)
    stack = EmbeddedStack(StackOptions(data_dir=tmp_path), quiet)
    stack._take_data_dir()
    stack._spawn("part", ["sh", "-c", "echo more than ten bytes; exec sleep 60"], dict(os.environ))
    log = tmp_path / "logs" / "part.log"
    assert wait_until(lambda: log.stat().st_size > 10, 20)

    stack.look_after()

    assert log.stat().st_size == 0
    assert log.with_name("part.old.log").read_text() == "more than ten bytes\n"
    stack.stop()


@pytest.mark.parametrize("name", ["logs/redis.log", "redis.sock"])
def test_a_folder_in_the_place_of_a_file_of_ours_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir(parents=True)

    with (
        pytest.raises(StackError, match=rf"cannot be started: .*Is a directory: '{tmp_path / name}'"),
        EmbeddedStack(StackOptions(port=0, data_dir=tmp_path), quiet),
    ):
        pass


def test_a_folder_in_the_place_of_the_url_is_named_and_no_part_stays(tmp_path: Path) -> None:
    (tmp_path / "url").mkdir()
    before = psutil.Process().children()

    with (
        pytest.raises(StackError, match=rf"cannot be started: .*Is a directory: .*'{tmp_path}/url'"),
        EmbeddedStack(StackOptions(port=free_port(), data_dir=tmp_path), quiet),
    ):
        pass

    assert psutil.Process().children() == before


def test_a_first_key_that_the_settings_bring_is_the_one_that_is_used(start_up: Any, tmp_path: Path) -> None:
    key = f"rc_{'k' * 8}_{'s' * 43}"
    (tmp_path / "key").write_text(f"{key}\n")

    up = start_up(REGCORE_BOOTSTRAP_KEY_FILE=str(tmp_path / "key")).await_up()

    assert f"The key: {tmp_path / 'key'}." in up.printed
    with Client((up.data_dir / "url").read_text().strip(), key) as client:
        assert [worker["state"] for worker in client.workers()] == ["ready"]
    assert not (up.data_dir / "api-key").exists()


def test_port_0_is_any_free_one() -> None:
    stack = EmbeddedStack(StackOptions(port=0), quiet)

    assert stack.options.port > 0
    assert stack.url == f"http://127.0.0.1:{stack.options.port}"


def test_a_job_trains_in_a_folder_of_any_name_and_nothing_lies_outside_of_it(
    start_up: Any, short_spec: dict[str, Any], tmp_path: Path
) -> None:
    name = "issue #12; what? run%20a [x] a&b=c é日本, too long for a socket " + "x" * 110 + " "
    up = start_up(name=name).await_up()

    with up.client() as client:
        job = client.jobs.create(short_spec).wait(120, progress=False)
        sizes = [artifact["size_bytes"] for artifact in job.artifacts()]
    up.stop()

    assert job.state == "succeeded"
    assert {path.name for path in tmp_path.iterdir()} == {name, "stdout", "stderr"}
    paths = [path for path in [up.data_dir, *up.data_dir.rglob("*")] if not path.is_symlink()]
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}
    kept = [path.stat().st_size for path in (up.data_dir / "artifacts").rglob("*") if path.is_file()]
    assert sorted(kept) == sorted(sizes)
    assert not (up.data_dir / "redis.sock").exists()


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


@pytest.mark.parametrize("num_signals", [1, 2])
def test_a_signal_while_it_starts_raises_nothing_where_it_strikes(tmp_path: Path, num_signals: int) -> None:
    lines: list[tuple[str, str]] = []
    before = psutil.Process().children()

    def announce(part: str, line: str) -> None:
        lines.append((part, line))
        if part == "redis" and "pid" in line:
            for _ in range(num_signals):
                signal.raise_signal(signal.SIGINT)
            lines.append(("test", "went on"))

    run_stack(StackOptions(port=free_port(), data_dir=tmp_path), announce)

    assert lines[1] == ("test", "went on")
    assert lines[-1] == ("regcore", "stopped before it was up")
    assert not any("up at" in line for _, line in lines)
    assert psutil.Process().children() == before


def test_a_signal_while_a_part_waits_for_its_restart_ends_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regclient.stack.process.FIRST_RESTART_S", 3600.0)
    lines: list[tuple[str, str]] = []
    before = psutil.Process().children()

    def announce(part: str, line: str) -> None:
        lines.append((part, line))
        if part == "redis" and "pid" in line:
            pids.append(pid_in(line))
        elif line.startswith("up at"):
            os.kill(pids[0], signal.SIGKILL)
        elif "died" in line:
            signal.raise_signal(signal.SIGTERM)

    pids: list[int] = []
    run_stack(StackOptions(port=free_port(), data_dir=tmp_path), announce)

    log = tmp_path / "logs" / "redis.log"
    assert ("redis", f"died (killed by SIGKILL); started again in 3600 s. Its log: {log}") in lines
    assert [part for part, line in lines if line == "stopped"] == ["worker", "api", "redis"]
    assert psutil.Process().children() == before


def test_what_it_prints_is_where_to_go_and_where_the_key_lies(stack: Any) -> None:
    last = stack.printed.splitlines()[-1]

    url = re.search(r"http://127\.0\.0\.1:\d+", last)
    assert url is not None
    assert httpx2.get(f"{url[0]}/readyz").is_success
    assert f"The key: {stack.data_dir / 'api-key'}." in last
    assert stack.data_dir.stat().st_mode & 0o077 == 0


def test_a_part_that_dies_while_it_starts_is_named_with_its_last_words(tmp_path: Path) -> None:
    before = psutil.Process().children()

    def announce(part: str, line: str) -> None:
        if "pid" in line:
            os.kill(pid_in(line), signal.SIGKILL)

    with (
        pytest.raises(
            StackError, match=r"redis died \(killed by SIGKILL\)(?s:.*)redis\.log:(?s:.*)(?i:ready to accept)"
        ),
        EmbeddedStack(StackOptions(port=free_port(), data_dir=tmp_path), announce),
    ):
        pass

    assert psutil.Process().children() == before


def test_a_part_that_is_killed_is_started_again_and_the_others_go_on(
    start_up: Any, short_spec: dict[str, Any], is_alive: Callable[[psutil.Process], bool]
) -> None:
    up = start_up().await_up()
    parts = ("redis", "api", "worker")
    for killed in parts:
        before = {part: up.pid(part) for part in parts}

        up.part(killed).kill()

        assert wait_until(lambda: up.pid(killed) != before[killed], 60), up.printed  # noqa: B023 - called in this round
        assert f"{killed:<8} died (killed by SIGKILL); started again in 1 s. Its log: " in up.printed
        assert [part for part in parts if up.pid(part) != before[part]] == [killed]
        assert all(is_alive(up.part(part)) for part in parts)
        with up.client() as client:
            client.jobs.create(short_spec).wait(90, progress=False).raise_for_state()
    assert up.errors == ""


def test_a_second_up_in_the_same_folder_is_refused(stack: Any, regcore: Any) -> None:
    done = regcore("up", "--port", str(free_port()))

    assert done.returncode == 1
    assert f"pid {stack.process.pid}" in done.stderr


@pytest.mark.parametrize(
    ("script", "what_is_said"),
    [
        ("exit 127", "to be a Redis or a Valkey that runs; `--version` gave exit code 127"),
        (
            '[ "$1" != --version ] || exec echo "Redis server v=7.0.15"; exit 1',
            r"redis died \(exit code 1\)\. It ran .*/redis-server;(?s:.*)redis\.log:\n\(none\)",
        ),
    ],
    ids=["does not run at all", "ends at once"],
)
def test_a_redis_of_the_machine_that_is_broken_is_named(
    script: str, what_is_said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "bin" / "redis-server"
    binary.parent.mkdir()
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", str(binary.parent), prepend=os.pathsep)
    monkeypatch.delenv(BUNDLED_VARIABLE, raising=False)

    with (
        pytest.raises(RegClientError, match=what_is_said) as raised,
        EmbeddedStack(StackOptions(port=free_port(), data_dir=tmp_path / "regcore"), quiet),
    ):
        pass

    assert str(binary) in str(raised.value)


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


def test_a_temporary_stack_begins_empty_and_takes_its_folder_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "of a stack that was killed"
    (folder / "logs").mkdir(parents=True)
    for name in ("regcore.db", "api-key", "logs/redis.log"):
        (folder / name).write_text("of before")
    found: list[str] = []

    with EmbeddedStack(
        StackOptions(port=free_port(), data_dir=folder, is_temporary=True), lambda *_: found.extend(texts_in(folder))
    ):
        pass

    assert found
    assert "of before" not in found
    assert not folder.exists()


def test_a_temporary_folder_that_is_still_written_to_ends_no_stack_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = StackOptions(port=free_port(), data_dir=tmp_path / "demo", is_temporary=True)
    stack = EmbeddedStack(options, lambda *_: None)
    stack._take_data_dir()

    def rmdir(path: object, **_: object) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty", path)

    with monkeypatch.context() as patch:
        patch.setattr("os.rmdir", rmdir)
        patch.setattr("regclient.stack.up.REMOVE_S", 0.0)
        stack.stop()
    again = EmbeddedStack(options, lambda *_: None)
    again._take_data_dir()  # the lock is free
    again.stop()

    assert not options.data_dir.exists()


def test_a_temporary_folder_that_is_written_to_for_a_moment_longer_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = EmbeddedStack(StackOptions(port=free_port(), data_dir=tmp_path / "demo", is_temporary=True), quiet)
    stack._take_data_dir()
    rmdir, refusals = os.rmdir, [OSError(errno.ENOTEMPTY, "Directory not empty")] * 2

    def rmdir_at_last(path: Any, **options: Any) -> None:
        if refusals:
            raise refusals.pop()
        rmdir(path, **options)

    monkeypatch.setattr("os.rmdir", rmdir_at_last)
    stack.stop()

    assert list(tmp_path.iterdir()) == []


def texts_in(folder: Path) -> list[str]:
    return [path.read_bytes()[:9].decode(errors="replace") for path in folder.rglob("*") if path.is_file()]


def test_its_parts_and_its_clients_meet_without_the_proxies_of_the_environment(stack: Any, trained_id: str) -> None:
    environment = psutil.Process(stack.process.pid).environ()

    assert {name for name in environment if name.lower().endswith("_proxy")} >= {"HTTP_PROXY", "ALL_PROXY"}
    with stack.client() as client:
        assert client.jobs.get(trained_id).state == "succeeded"
