"""How long a job stands still after a kill -9: `python benchmarks/recovery.py [NUM_WORKERS_KILLED]`.

Goals, at the default lease of 30 s: after the worker is killed, median under the lease plus 5 s; after its runner
alone, under 3 s. The peer, in the same run: what the same job loses that begins anew, the time that it had trained.
"""

import shutil
import statistics
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

import psutil

from regclient import Client
from regclient.stack.up import EmbeddedStack, StackOptions, free_port

SPEC = {
    "data": {"kind": "builtin", "name": "mnist-5k"},
    "model": {"kind": "mlp", "hidden": [128]},
    "training": {"epochs": 100_000, "checkpoint_every_s": 1, "eval_every_epochs": 50},
}
NUM_RUNNERS_KILLED = 10


def seconds(at):
    return datetime.fromisoformat(at).timestamp()


def trains(job):
    return job.refresh().state == "running" and job.progress["step"] > 0


def wait_for(condition, timeout_s=120.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def busiest(name):
    """The process of that name below us that has used the processor the most."""
    found = [child for child in psutil.Process().children(recursive=True) if child.name() == name]
    return max(found, key=lambda child: sum(child.cpu_times()[:2]))


def keep_alive(stack, over):
    """What `regcore up` does: start again what died."""
    while not over.wait(0.2):
        stack.revive()


def measure(job, name):
    """Kill the process that has the job; seconds that it stood still, and seconds that it had trained."""
    wait_for(lambda: trains(job))
    time.sleep(5.0)  # a spare is warm, and a checkpoint is saved
    trained_s = time.time() - seconds(job.refresh().started_at)
    attempt = job.attempt
    killed_at = time.time()
    busiest(name).kill()
    wait_for(lambda: job.refresh().attempt > attempt and job.state == "running")
    return seconds(job.transitions[-1]["at"]) - killed_at, trained_s


def main():
    num_workers = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    folder = Path(tempfile.mkdtemp(prefix="regcore-bench-"))
    over = threading.Event()
    options = StackOptions(port=free_port(), data_dir=folder)
    with EmbeddedStack(options, lambda part, line: None) as stack, Client(stack.url, stack.api_key) as client:
        reviver = threading.Thread(target=keep_alive, args=(stack, over))
        reviver.start()
        job = client.jobs.create(SPEC)
        runners = [measure(job, "regcore-runner") for _ in range(NUM_RUNNERS_KILLED)]
        workers = [measure(job, "regcore-worker") for _ in range(num_workers)]
        job.cancel().wait(progress=False, check=False)
        over.set()
        reviver.join()
    shutil.rmtree(folder)
    for name, found, goal in (("runner", runners, "< 3 s"), ("worker", workers, "median < 35 s")):
        still_s = [still for still, _ in found]
        print(
            f"kill -9 of a {name}: stood still {statistics.median(still_s):6.2f} s, at most {max(still_s):.2f} s, "
            f"of {len(found)}   goal {goal}"
        )
    print(f"begun anew the job would have lost up to {max(trained for _, trained in workers):.0f} s of training")


if __name__ == "__main__":
    main()
