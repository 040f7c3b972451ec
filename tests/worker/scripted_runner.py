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
    Ended,
    Finished,
    Fit,
    Fitting,
    Judged,
    Judging,
    Leave,
    Ready,
    Renew,
    Run,
    RunMember,
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
            case Fit() as fit:
                events.write(encode(Fitting(fit.spec.get("fits", fit.num_members), 10**9)))
            case Run() as run:
                events.write(encode(Started(run.run_id)))
                Play(run, commands, events).perform()


class Play:
    """One run: each job follows its script, and those that wait go on together."""

    def __init__(self, run: Run, commands: Any, events: Any) -> None:
        self._run = run
        self._commands = commands
        self._events = events
        self._waiting: dict[str, RunMember] = {}
        self._is_over = False

    def perform(self) -> None:
        for member in self._run.members:
            write_log(member, f"script {member.spec['name']}")
        if len(self._run.members) > 1:
            self._print("printed by all")
        for member in self._run.members:
            self._play(member)
            if self._is_over:
                return
        while self._waiting:
            self._obey(decode(self._commands.readline()))
        self._send(Finished(clean=True, peak_memory_bytes=7))

    def _play(self, member: RunMember) -> None:
        match member.spec["name"]:
            case "succeed":
                self._train(member)
            case "start-from":
                for file in (member.starting_weights, member.starting_model):
                    write_log(member, Path(str(file)).read_text())
                self._train(member)
            case "fail":
                self._send(Ended(member.job_id, "failed", reason=DIVERGED))
            case "exhaust":  # the whole pass fails of it
                for one in self._run.members:
                    self._send(Ended(one.job_id, "failed", reason=EXHAUSTED, of_the_pass=True))
                    time.sleep(PAUSE_S)
                self._send(Finished(clean=False))
                self._is_over = True
            case "mute":  # it trains, and then forgets to say that it is done
                self._train(member)
                self._is_over = True
            case "crash":
                os.kill(os.getpid(), 9)
            case "exit-3":
                os._exit(3)
            case "wait" | "save" | "slow" | "stubborn":
                self._waiting[member.job_id] = member
            case "save-and-hold":  # it neither saves itself apart nor leaves
                if not self._waiting:
                    self._save(5, self._run.members)
                self._waiting[member.job_id] = member
            case "save-and-crash":
                self._save(self._run.run_id, self._run.members)
                os.kill(os.getpid(), 9)
            case "save-and-succeed":
                self._save(7, self._run.members)
                self._train(member)
            case "chatty":
                for _ in range(100):
                    write_log(member, "blah " * 200)
                    time.sleep(0.02)
                time.sleep(0.5)
                self._train(member)
            case "busy":
                for step in range(1, 51):
                    metrics = {"epoch": 1, "step": step, "values": {}, "non_finite": []}
                    self._send(Wrote(member.job_id, "metrics", metrics, time.time()))
                    time.sleep(0.02)
                self._send(Ended(member.job_id, "succeeded", result={}))
            case "rung":
                metrics = {"epoch": 1, "step": 1, "values": {}, "non_finite": []}
                self._send(Wrote(member.job_id, "metrics", metrics, time.time()))
                self._send(Judging(1, {member.job_id: 0.5}))
                while not isinstance(decode(self._commands.readline()), Judged):
                    pass
                self._train(member)
            case "renewed":
                while not isinstance(decode(self._commands.readline()), Renew):
                    pass
                self._train(member)
            case "deaf":
                time.sleep(600)
            case "fat":
                self._ballast = b"x" * (200 << 20)
                self._waiting[member.job_id] = member

    def _obey(self, command: Any) -> None:
        match command:
            case Leave(job_id, save_to) if job_id in self._waiting:
                if self._waiting[job_id].spec["name"] in ("stubborn", "save-and-hold"):
                    return
                member = self._waiting.pop(job_id)
                if save_to is not None:
                    self._save(9, [member], Path(save_to))
                self._send(Ended(job_id, "stopped"))
            case Stop(save):
                saving = [member for member in self._waiting.values() if member.spec["name"] == "save"]
                if save and saving:
                    self._save(7, list(self._waiting.values()))
                for job_id, member in self._waiting.items():
                    self._send(Ended(job_id, "stopped"))
                    if member.spec["name"] == "slow":
                        time.sleep(PAUSE_S)
                        self._print("printed while it stops")
                self._waiting.clear()

    def _save(self, step: int, members: list[RunMember], apart: Path | None = None) -> None:
        name = f"step-{step:012d}"
        folder = (apart or Path(self._run.checkpoints)) / name
        folder.mkdir(parents=True)
        (folder / "state").write_text(f"of run {self._run.run_id}")
        body = {"step": step, "epoch": 1, "name": name}
        if apart is None:
            self._send(Saved([member.job_id for member in members], body, time.time()))
        else:
            self._send(Wrote(members[0].job_id, "checkpoint", {**body, "apart": True}, time.time()))

    def _train(self, member: RunMember) -> None:
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
            self._send(Wrote(member.job_id, "progress", progress, time.time()))
            self._send(Wrote(member.job_id, "metrics", metrics, time.time()))
        (Path(member.directory) / "model.safetensors").write_bytes(f"weights of {member.job_id}".encode())
        (Path(member.directory) / "model.json").write_bytes(f"model of {member.job_id}".encode())
        others = [key for key in self._run.companions if key != member.key]
        self._send(Ended(member.job_id, "succeeded", result={"metrics": {}, "fused_with": others}))

    def _print(self, line: str) -> None:
        with Path(self._run.output).open("a") as output:
            output.write(f"{line}\n")

    def _send(self, event: Any) -> None:
        self._events.write(encode(event))


def write_log(member: RunMember, line: str) -> None:
    with Path(member.log).open("a") as log:
        log.write(f"{line}\n")


if __name__ == "__main__":
    main()
