"""A seeded adversary: `make nemesis`, or `python tests/faults/nemesis.py [--duration-s 300] [--seed 0] [--database …]`.

For minutes, clients submit, pause, resume and cancel jobs while every process is killed at random: runners, workers,
the api, Redis. Then all is left in peace until every job has ended, and the promise is checked over what the database
and the artifacts say. The reference is an uninterrupted run of each spec, alone, in this process: a job that trains
alone has the same bits; one that trains with others, whatever becomes of them, the same weights but for rounding, which
double precision shows.

Prints a table, and exits with 1 if anything was lost, doubled or wrong.
"""

import argparse
import contextlib
import json
import random
import signal
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psycopg
from numpy.typing import NDArray
from safetensors.numpy import load, load_file

sys.path.append(str(Path(__file__).parents[1] / "support"))

from live_stack import TERMINAL, LiveStack, live_stack

from regcore import parse_spec, train

LEASE_S = 2.0
NUM_WORKERS = 2
NUM_CLIENTS = 2
MOST_WAITING = 8  # a client lets the workers catch up before it submits more
SETTLE_TIMEOUT_S = 240.0
MAX_ATTEMPTS = 50  # kills are no fault of the jobs', and some come before their first checkpoint
ACTIONS = ("pause", "resume", "cancel")
CLOSE = 1e-8  # weights that differ by the order of sums alone, in double precision


def make_specs() -> list[dict[str, Any]]:
    """Jobs of a second or a few, each with state of another kind to carry over, and some that train together."""
    base = {
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "mlp", "hidden": [32]},
        "training": {"epochs": 60, "checkpoint_every_s": 0.1},
    }
    changes: list[dict[str, Any]] = [
        {"regularizers": [{"kind": "dropout", "p": 0.3}]},
        {"optimizer": {"kind": "adam"}, "regularizers": [{"kind": "l1", "strength": 1e-4}]},
        {"regularizers": [{"kind": "early_stopping", "patience": 40}, {"kind": "l2", "strength": 1e-3}]},
        {"optimizer": {"kind": "sgd", "schedule": {"kind": "cosine", "warmup_epochs": 2}}},
    ]
    alone = [{**base, **change, "fusion": "off"} for change in changes]
    together = [
        {
            **base,
            "training": {**base["training"], "seed": seed, "precision": "float64"},
            "regularizers": [{"kind": "dropout", "p": 0.2}, {"kind": "l2", "strength": 10.0**-seed}],
        }
        for seed in range(2, 6)
    ]
    return alone + together


@dataclass(frozen=True)
class Expected:
    """What an uninterrupted run of a spec gives, alone."""

    weights_sha256: str
    weights: dict[str, NDArray[Any]]
    may_be_fused: bool


def undisturbed(spec: dict[str, Any]) -> Expected:
    result = train(parse_spec(spec))
    with tempfile.TemporaryDirectory(prefix="regcore-expected-") as folder:
        result.save(folder)
        weights = load_file(Path(folder) / "model.safetensors")
    return Expected(result.weights_sha256, weights, spec.get("fusion") != "off")


class Patient:
    """A client of a server that is being killed: it tries again until it is answered.

    Args:
        stack: Whose api.
    """

    def __init__(self, stack: LiveStack) -> None:
        self._stack = stack

    def call(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer, however long it takes; what is done twice by that is harmless, or has an Idempotency-Key."""
        while True:
            with contextlib.suppress(httpx2.TransportError):
                answer = self._stack.client.request(method, path, **options)
                if answer.status_code != 503 and "idempotency_busy" not in answer.text:
                    return answer
            time.sleep(0.2)


class Nemesis:
    """The adversary and the clients that it disturbs.

    Args:
        stack: What to break.
        seed: Of all that happens, as far as processes keep time.
        database: The URL of its PostgreSQL; None for SQLite.
    """

    def __init__(self, stack: LiveStack, seed: int, database: str | None) -> None:
        self.stack = stack
        self._database = database
        self._dice = random.Random(seed)
        self._seed = seed
        self._client = Patient(stack)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.specs = make_specs()
        self.accepted: dict[str, dict[str, Any]] = {}
        self.kills: Counter[str] = Counter()
        self.actions: Counter[str] = Counter()

    def run(self, duration_s: float) -> None:
        """Disturb for so long, then heal everything."""
        clients = [threading.Thread(target=self._be_a_client, args=(number,)) for number in range(NUM_CLIENTS)]
        for client in clients:
            client.start()
        until = time.monotonic() + duration_s
        kills = [self._kill_runner, self._kill_runner, self._kill_runner, self._kill_worker, self._kill_api]
        kills += [self._kill_template, self._kill_redis, self._wipe_redis, self._drain_worker, self._stop_worker]
        kills += [self._cut_connections]
        while time.monotonic() < until:
            time.sleep(self._dice.uniform(0.3, 2.0))
            self._dice.choice(kills)()
            self._say(
                f"{until - time.monotonic():5.0f} s left, {len(self.accepted)} jobs, {sum(self.kills.values())} kills"
            )
        self._over.set()
        for client in clients:
            client.join()
        for part in self.stack.parts.values():
            part.revive()
        self.stack.await_redis()
        self.stack.await_api()

    def settle(self) -> dict[str, dict[str, Any]]:
        """Resume what is paused, and wait until every job has ended; the jobs."""
        deadline = time.monotonic() + SETTLE_TIMEOUT_S
        jobs: dict[str, dict[str, Any]] = {}
        while time.monotonic() < deadline:
            jobs = {job_id: self.stack.job(job_id) for job_id in self.accepted}
            for job_id, job in jobs.items():
                if job["state"] in ("paused", "pausing"):
                    self.stack.client.post(f"/v1/jobs/{job_id}/resume")
            left = [job for job in jobs.values() if job["state"] not in TERMINAL]
            self._say(f"{len(left)} jobs have not ended")
            if not left:
                break
            time.sleep(0.5)
        return jobs

    # The clients

    def _be_a_client(self, number: int) -> None:
        dice = random.Random(f"{self._seed} client {number}")
        mine: list[str] = []
        for count in range(1_000_000):
            if self._over.is_set():
                return
            if self._num_waiting(mine) < MOST_WAITING // NUM_CLIENTS:
                mine.append(self._submit(dice.randrange(len(self.specs)), f"{self._seed}-{number}-{count}"))
            job_id = dice.choice(mine)
            action = dice.choice(["pause", "resume", "resume", "cancel", "", "", "", ""])
            if action:
                self._client.call("POST", f"/v1/jobs/{job_id}/{action}")
                self.actions[action] += 1
            self._over.wait(dice.uniform(0.1, 0.6))

    def _num_waiting(self, job_ids: list[str]) -> int:
        states = [self._client.call("GET", f"/v1/jobs/{job_id}").json()["state"] for job_id in job_ids[-8:]]
        return sum(state not in (*TERMINAL, "paused") for state in states)

    def _submit(self, which: int, key: str) -> str:
        spec = self.specs[which]
        answer = self._client.call("POST", "/v1/jobs", json=spec, headers={"Idempotency-Key": key})
        assert answer.status_code == 201, answer.text
        job_id = str(answer.json()["id"])
        with self._lock:
            self.accepted[job_id] = spec
        return job_id

    # The kills

    def _kill_runner(self) -> None:
        with contextlib.suppress(Exception):  # it may be gone between the look and the shot
            self._dice.choice(self._workers()).runners()[0].kill()
            self.kills["runner"] += 1

    def _kill_template(self) -> None:
        with contextlib.suppress(Exception):  # the same
            self._dice.choice(self._workers()).templates()[0].kill()
            self.kills["template"] += 1

    def _kill_worker(self) -> None:
        worker = self._dice.choice(self._workers())
        worker.kill()
        self.kills["worker"] += 1
        worker.start()

    def _drain_worker(self) -> None:
        worker = self._dice.choice(self._workers())
        worker.stop()
        self.kills["worker (SIGTERM)"] += 1
        worker.start()

    def _stop_worker(self) -> None:
        """Past its lease: it wakes to find that its jobs are another's."""
        worker = self._dice.choice(self._workers())
        worker.send(signal.SIGSTOP)
        self.kills["worker (stopped)"] += 1
        time.sleep(1.5 * LEASE_S)
        worker.send(signal.SIGCONT)

    def _kill_api(self) -> None:
        self.stack.api.kill()
        self.kills["api"] += 1
        time.sleep(self._dice.uniform(0.0, 0.5))
        self.stack.api.start()

    def _kill_redis(self) -> None:
        redis = self.stack.parts["redis"]
        redis.kill()
        self.kills["redis"] += 1
        time.sleep(self._dice.uniform(0.0, 2.0))
        redis.start()

    def _wipe_redis(self) -> None:
        self.stack.redis.flushall()
        self.kills["redis (wiped)"] += 1

    def _cut_connections(self) -> None:
        """To Redis and, where it is a server, to the database, in the middle of whatever they are used for."""
        self.stack.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        if self._database is not None:
            with psycopg.connect(self._database, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
        self.kills["connections"] += 1

    def _workers(self) -> list[Any]:
        return [part for name, part in self.stack.parts.items() if name.startswith("worker")]

    def _say(self, line: str) -> None:
        if sys.stdout.isatty():
            sys.stdout.write(f"\r\x1b[2K{line}")
            sys.stdout.flush()


def recoveries_s(records: list[dict[str, Any]]) -> list[float]:
    """How long a job stood still each time that it lost its run: from the run's last word until the next one trains."""
    found = []
    still_since = None
    for before, record in pairwise(records):
        body = record["body"]
        if record["kind"] != "state":
            continue
        if body["state"] == "queued" and body["reason"] in ("worker_lost", "worker_drained"):
            still_since = seconds(before["at"])
        elif body["state"] == "running" and still_since is not None:
            found.append(seconds(record["at"]) - still_since)
            still_since = None
    return found


def seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


class Findings:
    """What the promise says, against what is there."""

    def __init__(self) -> None:
        self.lost: list[str] = []
        self.doubled: list[str] = []
        self.wrong: list[str] = []
        self.recoveries_s: list[float] = []
        self.num_fused = 0

    def check(self, stack: LiveStack, job: dict[str, Any], expected: Expected) -> None:
        """Look at one job that was accepted."""
        job_id = job["id"]
        if job["state"] not in TERMINAL:
            self.lost.append(f"{job_id} is {job['state']}")
            return
        if job["state"] == "failed":
            self.lost.append(f"{job_id} failed: {job['state_reason']['code']} {job['state_reason']['message']}")
        records = stack.records(job_id)
        if [one["seq"] for one in records] != list(range(1, len(records) + 1)):
            self.lost.append(f"{job_id}: its log has gaps")
        self._check_runs(job)
        self._check_writes(job_id, records)
        self.recoveries_s += recoveries_s(records)
        if job["state"] == "succeeded":
            self._check_success(stack, job, records, expected)
        if job["attempt"] and not {"log.txt", "metrics.csv"} <= stack.artifact_names(job_id):
            self.lost.append(f"{job_id} has no log.txt or metrics.csv")

    def _check_runs(self, job: dict[str, Any]) -> None:
        """Each start follows a return to the queue: no two runs had it at once; and one end."""
        holder = False
        ends = 0
        for step in job["transitions"]:
            if step["state"] == "starting":
                if holder:
                    self.doubled.append(f"{job['id']} was started while it ran")
                holder = True
            if step["state"] in ("queued", "paused", *TERMINAL):
                holder = False
            ends += step["state"] in TERMINAL
        if ends != 1:
            self.doubled.append(f"{job['id']} ended {ends} times")

    def _check_writes(self, job_id: str, records: list[dict[str, Any]]) -> None:
        """Within one run steps only grow: where they fall back, writes of two runs were mixed."""
        step = 0
        for record in records:
            if record["kind"] == "state" and record["body"]["state"] == "starting":
                step = 0
            elif record["kind"] in ("progress", "checkpoint"):
                if record["body"]["step"] < step:
                    self.doubled.append(f"{job_id}: the writes of two runs are mixed")
                    return
                step = record["body"]["step"]

    def _check_success(
        self, stack: LiveStack, job: dict[str, Any], records: list[dict[str, Any]], expected: Expected
    ) -> None:
        steps = [one["body"]["step"] for one in records if one["kind"] == "metrics"]
        per_epoch = job["plan"]["steps_per_epoch"]
        if len(set(steps)) != len(steps):
            self.doubled.append(f"{job['id']} has a step twice")
        if sorted(set(steps)) != [per_epoch * epoch for epoch in range(1, len(set(steps)) + 1)]:
            self.lost.append(f"{job['id']}: its metrics have gaps")
        if expected.may_be_fused:
            self._check_weights(stack, job, expected)
        elif job["result"]["weights_sha256"] != expected.weights_sha256 or not job["result"]["exact"]:
            self.wrong.append(f"{job['id']} has other weights than an uninterrupted run")
        stored = {one["name"]: one["sha256"] for one in stack.get(f"/v1/jobs/{job['id']}/artifacts")["data"]}
        if stored.get("model.safetensors") != job["result"]["weights_sha256"]:
            self.wrong.append(f"{job['id']}: the stored model is not its result's")

    def _check_weights(self, stack: LiveStack, job: dict[str, Any], expected: Expected) -> None:
        """However often its company changed, it is what it would be alone; and where it had none, to the bit."""
        self.num_fused += bool(job["result"]["fused_with"])
        weights = load(stack.artifact_bytes(job["id"], "model.safetensors"))
        is_close = weights.keys() == expected.weights.keys() and all(
            np.allclose(weights[name], expected.weights[name], rtol=CLOSE, atol=CLOSE) for name in weights
        )
        was_alone = job["result"]["exact"] and not job["result"]["fused_with"]
        if not is_close or (was_alone and job["result"]["weights_sha256"] != expected.weights_sha256):
            self.wrong.append(f"{job['id']} has other weights than an uninterrupted run alone")


def main(arguments: list[str] | None = None, out: Callable[[str], Any] = print) -> int:
    """Run, check, print; the exit status."""
    parser = argparse.ArgumentParser(
        description="Kill everything at random under load, then check that nothing is lost."
    )
    parser.add_argument("--duration-s", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", help="postgresql://… of an empty database; default: SQLite")
    options = parser.parse_args(arguments)
    expected = {json.dumps(spec): undisturbed(spec) for spec in make_specs()}
    settings: dict[str, Any] = {"lease_s": LEASE_S, "reconcile_interval_s": 0.2, "max_attempts": MAX_ATTEMPTS}
    with (
        tempfile.TemporaryDirectory(prefix="regcore-nemesis-") as folder,
        live_stack(Path(folder), options.database, num_workers=NUM_WORKERS, **settings) as stack,
    ):
        nemesis = Nemesis(stack, options.seed, options.database)
        nemesis.run(options.duration_s)
        jobs = nemesis.settle()
        findings = Findings()
        for job_id, job in jobs.items():
            findings.check(stack, job, expected[json.dumps(nemesis.accepted[job_id])])
        report(nemesis, jobs, findings, options, out)
    return int(bool(findings.lost or findings.doubled or findings.wrong))


def report(
    nemesis: Nemesis, jobs: dict[str, Any], findings: Findings, options: argparse.Namespace, out: Callable[[str], Any]
) -> None:
    """Print the table."""
    waits_s = findings.recoveries_s
    states = Counter(job["state"] for job in jobs.values())
    rows = [
        ("seed, seconds", f"{options.seed}, {options.duration_s:g}"),
        ("database", "PostgreSQL" if options.database else "SQLite"),
        ("jobs accepted", f"{len(jobs)}: " + ", ".join(f"{count} {state}" for state, count in states.items())),
        ("pauses, resumes, cancels", ", ".join(str(nemesis.actions[action]) for action in ACTIONS)),
        ("kills", f"{sum(nemesis.kills.values())}: " + ", ".join(f"{n} {kind}" for kind, n in nemesis.kills.items())),
        ("trained with others", str(findings.num_fused)),
        ("recoveries", str(len(waits_s))),
        ("recovery time, median", f"{statistics.median(waits_s):.2f} s" if waits_s else "-"),
        ("recovery time, maximum", f"{max(waits_s):.2f} s" if waits_s else "-"),
        ("lost", str(len(findings.lost))),
        ("doubled", str(len(findings.doubled))),
        ("wrong weights", str(len(findings.wrong))),
    ]
    for name, value in rows:
        out(f"{name:26} {value}")
    for finding in (*findings.lost, *findings.doubled, *findings.wrong):
        out(f"  {finding}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
