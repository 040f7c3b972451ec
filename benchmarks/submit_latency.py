"""How soon a submitted job trains, and what the api costs: `python benchmarks/submit_latency.py [NUM_JOBS]`.

Goals: submit to first training step, with a warm slot, median under 0.5 s; the api ready in under 2 s and under
150 MB resident. The peer, measured in the same run, is a fresh process that imports torch for each job.

The clock starts before the POST is sent and ends at the time of the first `progress` record: the runner writes it
right after the first optimizer step. Both clocks are this machine's.
"""

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import httpx2
import psutil

from regclient.stack.embedded_redis import find_redis_server, redis_command

SPEC = {
    "data": {"kind": "builtin", "name": "mnist-5k"},
    "model": {"kind": "mlp", "hidden": [128]},
    "training": {"epochs": 2},
}
TERMINAL = {"succeeded", "failed", "cancelled"}
COLD = """
import json, sys
from regcore import parse_spec, train
train(parse_spec(json.loads(sys.argv[1])), on_record=lambda record: sys.exit())
"""


def wait_for(condition, what, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.01)


def answers(client, path):
    try:
        return client.get(path).status_code == 200
    except httpx2.TransportError:
        return False


def measure_api(environment, client, processes):
    """Start the api; seconds until it is ready, and its resident megabytes."""
    started_at = time.monotonic()
    processes.append(subprocess.Popen([sys.executable, "-m", "api"], env=environment, stderr=subprocess.DEVNULL))
    wait_for(lambda: answers(client, "/readyz"), "the api to be ready")
    return time.monotonic() - started_at, processes[-1].pid


def measure_first_step(client):
    """Submit a job; seconds from the POST to its first step. Returns once the job has ended."""
    submitted_at = time.time()
    answer = client.post("/v1/jobs", json=SPEC)
    answer.raise_for_status()
    job_id = answer.json()["id"]
    wait_for(lambda: client.get(f"/v1/jobs/{job_id}").json()["state"] in TERMINAL, "the job to end")
    events = client.get(f"/v1/jobs/{job_id}/events").json()["data"]
    first = next(event["at"] for event in events if event["kind"] == "progress")
    return datetime.fromisoformat(first).timestamp() - submitted_at


def measure_cold():
    """Seconds from the start of a process of its own, which imports everything, to its first record."""
    started_at = time.monotonic()
    subprocess.run([sys.executable, "-c", COLD, json.dumps(SPEC)], check=True)
    return time.monotonic() - started_at


def main():
    num_jobs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="regcore-bench-"))
    broker = folder / "redis.sock"
    environment = {
        **os.environ,
        "REGCORE_DATA_DIR": str(folder),
        "REGCORE_REDIS_URL": f"unix://{broker}",
        "REGCORE_PORT": str(port),
        "REGCORE_LOG_LEVEL": "error",
    }
    server = redis_command(find_redis_server(), broker, folder)
    processes = [subprocess.Popen(server, stdout=subprocess.DEVNULL)]
    client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
    try:
        wait_for(broker.exists, "Redis")
        ready_s, api_pid = measure_api(environment, client, processes)
        client.headers["Authorization"] = f"Bearer {(folder / 'api-key').read_text().strip()}"
        processes.append(subprocess.Popen([sys.executable, "-m", "worker"], env=environment))
        wait_for(lambda: client.get("/v1/workers").json()["data"], "the worker")
        measure_first_step(client)  # The first job waits for the spare to import torch.
        latencies_s = [measure_first_step(client) for _ in range(num_jobs)]
        resident_mb = psutil.Process(api_pid).memory_info().rss / 1e6
        cold_s = statistics.median(measure_cold() for _ in range(3))
    finally:
        client.close()
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        shutil.rmtree(folder)
    median_s = statistics.median(latencies_s)
    print(f"api ready                  {ready_s:8.3f} s    goal < 2 s")
    print(f"api resident               {resident_mb:8.1f} MB   goal < 150 MB")
    print(f"submit to first step       {median_s:8.3f} s    goal < 0.5 s, median of {num_jobs}")
    print(f"a process of its own       {cold_s:8.3f} s    {cold_s / median_s:.1f} times as long, median of 3")


if __name__ == "__main__":
    main()
