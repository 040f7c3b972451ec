"""A quarter of a minute of `make nemesis` on PostgreSQL, and whether it would find what it looks for."""

import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

NEMESIS = Path(__file__).with_name("nemesis.py")
SHA256 = "a" * 64


@pytest.mark.timeout(480)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # `make nemesis` has SQLite
def test_random_kills_lose_and_double_nothing(database_url: str | None) -> None:
    database = [] if database_url is None else ["--database", database_url]

    ran = subprocess.run(
        [sys.executable, str(NEMESIS), "--duration-s", "15", "--seed", "7", *database],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = {line[:26].strip(): line[26:].strip() for line in ran.stdout.splitlines()}
    assert (found["lost"], found["doubled"], found["wrong weights"]) == ("0", "0", "0")
    assert int(found["recoveries"]) > 0, "it has disturbed nobody"
    assert int(found["trained with others"]) > 0


@pytest.fixture(scope="module")
def nemesis() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nemesis", NEMESIS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Told:
    """A stack that says what a test has it say of one job."""

    def __init__(
        self, records: list[dict[str, Any]], stored: dict[str, str], weights: dict[str, NDArray[np.float64]]
    ) -> None:
        self._records = [{"seq": seq, "at": "2026-11-24T00:00:00Z", **one} for seq, one in enumerate(records, 1)]
        self._stored = stored
        self._weights = weights

    def records(self, job_id: str) -> list[dict[str, Any]]:
        return self._records

    def artifact_names(self, job_id: str) -> set[str]:
        return set(self._stored)

    def artifact_bytes(self, job_id: str, name: str) -> bytes:
        return save(self._weights)

    def get(self, path: str) -> dict[str, Any]:
        return {"data": [{"name": name, "sha256": sha256} for name, sha256 in self._stored.items()]}


def state(name: str, reason: str | None = None) -> dict[str, Any]:
    return {"kind": "state", "body": {"state": name, "reason": reason}}


def step(number: int, kind: str = "metrics") -> dict[str, Any]:
    return {"kind": kind, "body": {"step": number}}


LOST_ONCE = [state("queued"), state("starting"), state("running"), step(10), state("queued", "worker_lost")]
WHOLE = [*LOST_ONCE, state("starting"), state("running"), step(20), state("succeeded")]
STORED = {"log.txt": "", "metrics.csv": "", "model.safetensors": SHA256}


def findings_of(
    nemesis: ModuleType,
    records: list[dict[str, Any]],
    *,
    stored: dict[str, str] = STORED,
    sha256: str = SHA256,
    exact: bool = True,
    fused_with: Sequence[str] | None = None,
    weight: float = 1.0,
) -> tuple[int, int, int]:
    transitions = [{"at": "", **one["body"]} for one in records if one["kind"] == "state"]
    job = {
        "id": "job_1",
        "state": transitions[-1]["state"],
        "state_reason": {"code": "worker_lost", "message": ""},
        "attempt": 2,
        "transitions": transitions,
        "plan": {"steps_per_epoch": 10},
        "result": {"weights_sha256": sha256, "exact": exact, "fused_with": list(fused_with or [])},
    }
    expected = nemesis.Expected(SHA256, {"head.weight": np.ones(3)}, fused_with is not None)
    findings = nemesis.Findings()
    findings.check(Told(records, stored, {"head.weight": np.full(3, weight)}), job, expected)
    return len(findings.lost), len(findings.doubled), len(findings.wrong)


OTHER = "b" * 64
STORED_OTHER = {**STORED, "model.safetensors": OTHER}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fused_with": []},
        {"fused_with": ["job_2"], "sha256": OTHER, "stored": STORED_OTHER, "weight": 1.0 + 1e-12},
        {"fused_with": [], "exact": False, "sha256": OTHER, "stored": STORED_OTHER, "weight": 1.0 + 1e-12},
    ],
    ids=["alone", "might-have-had-company", "with-another", "was-with-another"],
)
def test_a_job_that_was_only_disturbed_is_no_finding(nemesis: ModuleType, changes: dict[str, Any]) -> None:
    assert findings_of(nemesis, WHOLE, **changes) == (0, 0, 0)


@pytest.mark.parametrize(
    ("records", "changes", "expected"),
    [
        (LOST_ONCE, {}, (1, 0, 0)),  # it never ended
        ([*LOST_ONCE, state("failed")], {}, (1, 0, 0)),
        ([one for one in WHOLE if one != step(10)], {}, (1, 0, 0)),
        (WHOLE, {"stored": {"model.safetensors": SHA256}}, (1, 0, 0)),
        ([*WHOLE[:-1], step(20), WHOLE[-1]], {}, (0, 1, 0)),
        ([*WHOLE, state("succeeded")], {}, (0, 1, 0)),
        ([one for one in WHOLE if one != state("queued", "worker_lost")], {}, (0, 1, 0)),  # two runs at once
        ([*WHOLE[:-1], step(15, "progress"), step(12, "checkpoint"), WHOLE[-1]], {}, (0, 1, 0)),
        (WHOLE, {"sha256": OTHER, "stored": STORED_OTHER}, (0, 0, 1)),
        (WHOLE, {"exact": False}, (0, 0, 1)),
        (WHOLE, {"stored": STORED_OTHER}, (0, 0, 1)),
        (WHOLE, {"fused_with": ["job_2"], "weight": 1.0 + 1e-6}, (0, 0, 1)),
        (WHOLE, {"fused_with": [], "sha256": OTHER, "stored": STORED_OTHER}, (0, 0, 1)),  # alone, it has no excuse
        (WHOLE, {"fused_with": ["job_2"], "stored": STORED_OTHER}, (0, 0, 1)),
    ],
)
def test_what_is_lost_doubled_or_wrong_is_found(
    nemesis: ModuleType, records: list[dict[str, Any]], changes: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    assert findings_of(nemesis, records, **changes) == expected
