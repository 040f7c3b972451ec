import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import psutil

from jobs.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_api_knows_no_torch() -> None:
    code = (
        "import sys, api.main; from api.openapi import render; render();"
        "heavy = {'torch', 'torchvision', 'sklearn', 'scipy', 'worker', 'regcore.loop', 'regclient'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, cwd=ROOT)

    assert done.stdout.strip() == "[]"


def test_a_real_server_serves_and_stops(
    settings: Settings, serve: Any, free_tcp_port: int, spec: dict[str, Any]
) -> None:
    with serve(settings, free_tcp_port) as (url, process):
        token = (settings.data_dir / "api-key").read_text().strip()
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            created = client.post("/v1/jobs", json=spec)
            listed = client.get("/v1/jobs").json()["data"]
            too_large = client.post("/v1/jobs", json={**spec, "name": "x" * 20_000_000})
            title = psutil.Process(process.pid).cmdline()[0]
        process.send_signal(signal.SIGTERM)
        process.wait(10)

    assert created.status_code == 201
    assert [job["id"] for job in listed] == [created.json()["id"]]
    assert (too_large.status_code, too_large.headers["content-type"]) == (413, "application/problem+json")
    assert title.startswith("regcore-api")
    assert token not in (settings.data_dir.parent / "api.log").read_text()


def test_a_server_that_is_stopped_ends_its_streams_by_itself(
    settings: Settings, serve: Any, free_tcp_port: int, spec: dict[str, Any]
) -> None:
    with serve(settings, free_tcp_port) as (url, process):
        token = (settings.data_dir / "api-key").read_text().strip()
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            path = client.post("/v1/jobs", json=spec).json()["links"]["events"]
            with client.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer:
                lines = answer.iter_lines()
                next(lines)
                process.send_signal(signal.SIGTERM)
                rest = list(lines)  # raises where the stream is cut
        process.wait(10)

    log = (settings.data_dir.parent / "api.log").read_text()
    assert any(line.startswith("id: 1") for line in rest)
    assert "Traceback" not in log
    assert '"level": "error"' not in log


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "REGCORE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    environment["REGCORE_DATA_DIR"] = str(tmp_path)

    done = subprocess.run([sys.executable, "-m", "api"], env=environment, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 1
    assert "api_cannot_start" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_named_and_ends_with_1(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {"PATH": "/usr/bin:/bin", "REGCORE_DATA_DIR": str(settings.data_dir), "REGCORE_PORT": str(port)}

        done = subprocess.run([sys.executable, "-m", "api"], env=environment, capture_output=True, text=True, cwd=ROOT)

    assert done.returncode == 1
    assert f"It cannot listen on 127.0.0.1:{port}. Change REGCORE_HOST or REGCORE_PORT." in done.stderr
    assert "Traceback" not in done.stderr
