"""What an upload costs the api: `python benchmarks/upload.py [NUM_GB]`.

Goal: 5 GB within 200 MB resident. The peer, measured in the same run, is a copy of the same bytes by one loop that
hashes and writes them with no server: what the disk and SHA-256 take. Other calls are made while the body comes.
"""

import hashlib
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import psutil

CHUNK = os.urandom(1 << 20)
LOOK_EVERY_S = 0.02


class Watch:
    """Looks at a process while it works: its largest resident memory, and how long another call takes."""

    def __init__(self, pid, client):
        self._process = psutil.Process(pid)
        self._client = client
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._look), threading.Thread(target=self._call)]
        self.resident_mb = 0.0
        self.latencies_s = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _look(self):
        while not self._done.wait(LOOK_EVERY_S):
            self.resident_mb = max(self.resident_mb, self._process.memory_info().rss / 1e6)

    def _call(self):
        while not self._done.wait(LOOK_EVERY_S):
            started_at = time.monotonic()
            self._client.get("/v1/datasets").raise_for_status()
            self.latencies_s.append(time.monotonic() - started_at)


def chunks(num_chunks):
    for number in range(num_chunks):
        yield number.to_bytes(8, "big") + CHUNK[8:]


def measure_copy(folder, num_chunks):
    """Seconds for hashing the bytes and writing them to disk in one loop."""
    digest, path = hashlib.sha256(), folder / "copy"
    started_at = time.monotonic()
    with path.open("wb") as file:
        for chunk in chunks(num_chunks):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    took_s = time.monotonic() - started_at
    path.unlink()
    return took_s


def start_api(environment, client):
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment, stderr=subprocess.DEVNULL)
    for _ in range(3000):
        try:
            client.get("/readyz").raise_for_status()
            return process
        except httpx2.HTTPError:
            time.sleep(0.02)
    raise TimeoutError("the api is not ready")


def main():
    num_gb = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    num_chunks = int(num_gb * 1e9) // len(CHUNK)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="regcore-bench-", dir=os.environ.get("TMPDIR")))
    environment = {
        **os.environ,
        "REGCORE_DATA_DIR": str(folder / "data"),
        "REGCORE_REDIS_URL": f"unix://{folder}/no-redis.sock",
        "REGCORE_PORT": str(port),
        "REGCORE_LOG_LEVEL": "error",
    }
    client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=600, trust_env=False)
    api = start_api(environment, client)
    try:
        client.headers["Authorization"] = f"Bearer {(folder / 'data/api-key').read_text().strip()}"
        before_mb = psutil.Process(api.pid).memory_info().rss / 1e6
        headers = {"Content-Type": "text/csv", "Content-Length": str(num_chunks * len(CHUNK))}
        started_at = time.monotonic()
        with Watch(api.pid, client) as watch:
            client.post("/v1/datasets", content=chunks(num_chunks), headers=headers).raise_for_status()
            took_s = time.monotonic() - started_at
        shutil.rmtree(folder / "data/artifacts")
        copy_s = measure_copy(folder, num_chunks)
    finally:
        client.close()
        api.send_signal(signal.SIGTERM)
        api.wait(30)
        shutil.rmtree(folder)
    sent_gb, median_ms = num_chunks * len(CHUNK) / 1e9, statistics.median(watch.latencies_s) * 1000
    print(f"{sent_gb:.1f} GB uploaded in         {took_s:8.1f} s    {took_s / copy_s:.1f} times a copy with its hash")
    print(f"api resident, before       {before_mb:8.1f} MB")
    print(f"api resident, at most      {watch.resident_mb:8.1f} MB   goal < 200 MB")
    print(f"another call meanwhile     {median_ms:8.1f} ms   median of {len(watch.latencies_s)}")


if __name__ == "__main__":
    main()
