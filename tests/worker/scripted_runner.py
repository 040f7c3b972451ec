"""Stands in for `worker.runner` where a test needs one that misbehaves, or no torch: a job's name is a script.

It speaks the real protocol over the real pipes; only the training is make-believe.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from worker.protocol import Ended, Ready, Renew, Run, Started, Stop, Wrote, decode, encode


def main() -> None:
    warm_up_s, commands_fd, events_fd = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    commands = os.fdopen(commands_fd, "rb")
    events = os.fdopen(events_fd, "wb", buffering=0)
    time.sleep(warm_up_s)
    events.write(encode(Ready({"python": "3", "torch": "none"})))
    for line in commands:
        run = decode(line)
        if isinstance(run, Run):
            events.write(encode(Started(run.job_id)))
            play(run, commands, events)


def play(run: Run, commands: Any, events: Any) -> None:
    directory = Path(run.directory)
    with (directory / "log.txt").open("a") as log:
        log.write(f"script {run.spec['name']}\n")
    match run.spec["name"]:
        case "succeed":
            train(run, events)
        case "fail":
            reason = {"code": "diverged", "message": "NaN", "remedy": "", "retryable": False, "details": {}}
            events.write(encode(Ended(run.job_id, "failed", clean=True, reason=reason)))
        case "crash":
            os.kill(os.getpid(), 9)
        case "exit-3":
            os._exit(3)
        case "wait":
            while not isinstance(decode(commands.readline()), Stop):
                pass
            events.write(encode(Ended(run.job_id, "stopped", clean=True)))
        case "save":
            while not isinstance(stop := decode(commands.readline()), Stop):
                pass
            if stop.save:
                save(run, 7, events)
            events.write(encode(Ended(run.job_id, "stopped", clean=True)))
        case "save-and-crash":
            save(run, run.run_id, events)
            os.kill(os.getpid(), 9)
        case "chatty":
            for _ in range(100):
                with (directory / "log.txt").open("a") as log:
                    log.write("blah " * 200 + "\n")
                time.sleep(0.02)
            time.sleep(0.5)
            train(run, events)
        case "renewed":
            while not isinstance(decode(commands.readline()), Renew):
                pass
            train(run, events)
        case "deaf":
            time.sleep(600)
        case "fat":
            ballast = b"x" * (200 << 20)
            time.sleep(600)
            del ballast


def save(run: Run, step: int, events: Any) -> None:
    name = f"step-{step:012d}"
    folder = Path(run.checkpoints) / name
    folder.mkdir()
    (folder / "state").write_text(f"of run {run.run_id}")
    events.write(encode(Wrote(run.job_id, "checkpoint", {"step": step, "epoch": 1, "name": name}, time.time())))


def train(run: Run, events: Any) -> None:
    for step in (1, 2):
        progress = {
            "epoch": step,
            "num_epochs": 2,
            "step": step,
            "num_steps": 2,
            "fraction": step / 2,
            "eta_s": 0.0,
        }
        metrics = {"epoch": step, "step": step, "values": {"train/loss": 1.0 / step}, "non_finite": []}
        events.write(encode(Wrote(run.job_id, "progress", progress, time.time())))
        events.write(encode(Wrote(run.job_id, "metrics", metrics, time.time())))
    (Path(run.directory) / "model.safetensors").write_bytes(b"weights")
    events.write(encode(Ended(run.job_id, "succeeded", clean=True, result={"metrics": {}}, peak_memory_bytes=7)))


if __name__ == "__main__":
    main()
