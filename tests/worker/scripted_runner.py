"""Stands in for template and runner where a test needs one that misbehaves, or no torch: a job's name is a script.

It speaks the real protocol over the real pipes; only the training is make-believe.
"""

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from worker.protocol import (
    Assignment,
    Capacity,
    Finished,
    JobEnded,
    Judged,
    Judging,
    Leave,
    Measure,
    Ready,
    Renew,
    Run,
    Saved,
    Started,
    Stop,
    Wrote,
    decode,
    encode,
)
from worker.run.template import become_runner

DIVERGED = {"code": "diverged", "message": "NaN", "remedy": "", "retryable": False, "details": {}}
PAUSE_S = 0.3
"""Longer than a supervisor takes to look at what there is."""
EXHAUSTED = {**DIVERGED, "code": "out_of_memory", "message": "too much"}


def main() -> None:
    warm_up_s, requests_fd = float(sys.argv[1]), int(sys.argv[2])
    commands_fd, events_fd = become_runner(socket.socket(fileno=requests_fd))
    commands = os.fdopen(commands_fd, "rb")
    events = os.fdopen(events_fd, "wb", buffering=0)
    time.sleep(warm_up_s)
    events.write(encode(Ready({"python": "3", "torch": "none"})))
    for line in commands:
        match decode(line):
            case Measure() as measure:
                events.write(encode(Capacity(measure.spec.get("fits", measure.num_members), 10**9)))
            case Run() as run:
                events.write(encode(Started(run.run_id)))
                Play(run, commands, events).perform()


class Play:
    """One run: each job follows its script, and those that wait go on together."""

    def __init__(self, run: Run, commands: Any, events: Any) -> None:
        self._run = run
        self._commands = commands
        self._events = events
        self._waiting: dict[str, Assignment] = {}
        self._is_over = False

    def perform(self) -> None:
        for assignment in self._run.assignments:
            write_log(assignment, f"script {assignment.spec['name']}")
        if len(self._run.assignments) > 1:
            self._print("printed by all")
        for assignment in self._run.assignments:
            self._play(assignment)
            if self._is_over:
                return
        while self._waiting:
            self._obey(decode(self._commands.readline()))
        self._send(Finished(clean=True, peak_memory_bytes=7))

    def _play(self, assignment: Assignment) -> None:
        match assignment.spec["name"]:
            case "succeed":
                self._train(assignment)
            case "start-from":
                for name, file in assignment.inputs.items():
                    said = [Path(file).with_name(part).read_text() for part in ("model.safetensors", "model.json")]
                    write_log(assignment, f"{name}: {', '.join(said)}")
                self._train(assignment)
            case "fail":
                self._send(JobEnded(assignment.job_id, "failed", reason=DIVERGED))
            case "exhaust":  # the whole pass fails of it
                for one in self._run.assignments:
                    self._send(JobEnded(one.job_id, "failed", reason=EXHAUSTED, of_the_pass=True))
                    time.sleep(PAUSE_S)
                self._send(Finished(clean=False))
                self._is_over = True
            case "mute":  # it trains, and then forgets to say that it is done
                self._train(assignment)
                self._is_over = True
            case "crash":
                os.kill(os.getpid(), 9)
            case "exit-3":
                os._exit(3)
            case "wait" | "save" | "slow" | "stubborn":
                self._waiting[assignment.job_id] = assignment
            case "save-and-hold":  # it neither saves itself apart nor leaves
                if not self._waiting:
                    self._save(5, self._run.assignments)
                self._waiting[assignment.job_id] = assignment
            case "save-and-crash":
                self._save(self._run.run_id, self._run.assignments)
                os.kill(os.getpid(), 9)
            case "save-and-succeed":
                self._save(7, self._run.assignments)
                self._train(assignment)
            case "chatty":
                for _ in range(100):
                    write_log(assignment, "blah " * 200)
                    time.sleep(0.02)
                time.sleep(0.5)
                self._train(assignment)
            case "busy":
                for step in range(1, 51):
                    metrics = {"epoch": 1, "step": step, "values": {}, "non_finite": []}
                    self._send(Wrote(assignment.job_id, "metrics", metrics, time.time()))
                    time.sleep(0.02)
                self._send(JobEnded(assignment.job_id, "succeeded", result={}))
            case "rung":
                metrics = {"epoch": 1, "step": 1, "values": {}, "non_finite": []}
                self._send(Wrote(assignment.job_id, "metrics", metrics, time.time()))
                self._send(Judging(1, {assignment.job_id: 0.5}))
                while not isinstance(decode(self._commands.readline()), Judged):
                    pass
                self._train(assignment)
            case "renewed":
                while not isinstance(decode(self._commands.readline()), Renew):
                    pass
                self._train(assignment)
            case "deaf":
                time.sleep(600)
            case "fat":
                self._ballast = b"x" * (200 << 20)
                self._waiting[assignment.job_id] = assignment

    def _obey(self, command: Any) -> None:
        match command:
            case Leave(job_id, save_to) if job_id in self._waiting:
                if self._waiting[job_id].spec["name"] in ("stubborn", "save-and-hold"):
                    return
                assignment = self._waiting.pop(job_id)
                if save_to is not None:
                    self._save(9, [assignment], Path(save_to))
                self._send(JobEnded(job_id, "stopped"))
            case Stop(save):
                saving = [assignment for assignment in self._waiting.values() if assignment.spec["name"] == "save"]
                if save and saving:
                    self._save(7, list(self._waiting.values()))
                for job_id, assignment in self._waiting.items():
                    self._send(JobEnded(job_id, "stopped"))
                    if assignment.spec["name"] == "slow":
                        time.sleep(PAUSE_S)
                        self._print("printed while it stops")
                self._waiting.clear()

    def _save(self, step: int, assignments: list[Assignment], apart: Path | None = None) -> None:
        name = f"step-{step:012d}"
        folder = (apart or Path(self._run.checkpoints)) / name
        folder.mkdir(parents=True)
        (folder / "state").write_text(f"of run {self._run.run_id}")
        body = {"step": step, "epoch": 1, "name": name}
        if apart is None:
            self._send(Saved([assignment.job_id for assignment in assignments], body, time.time()))
        else:
            self._send(Wrote(assignments[0].job_id, "checkpoint", {**body, "apart": True}, time.time()))

    def _train(self, assignment: Assignment) -> None:
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
            self._send(Wrote(assignment.job_id, "progress", progress, time.time()))
            self._send(Wrote(assignment.job_id, "metrics", metrics, time.time()))
        (Path(assignment.directory) / "model.safetensors").write_bytes(f"weights of {assignment.job_id}".encode())
        (Path(assignment.directory) / "model.json").write_bytes(f"model of {assignment.job_id}".encode())
        others = [key for key in self._run.companions if key != assignment.key]
        self._send(JobEnded(assignment.job_id, "succeeded", result={"metrics": {}, "fused_with": others}))

    def _print(self, line: str) -> None:
        with Path(self._run.output).open("a") as output:
            output.write(f"{line}\n")

    def _send(self, event: Any) -> None:
        self._events.write(encode(event))


def write_log(assignment: Assignment, line: str) -> None:
    with Path(assignment.log).open("a") as log:
        log.write(f"{line}\n")


if __name__ == "__main__":
    main()
