"""Whatever the document allows, and much that it does not: the live server never fails, and keeps to its document.

Schemathesis sends it, with all of its checks but `positive_data_acceptance`: what a schema cannot say, such as that a
model's layers fit each other, is refused too.
"""

import subprocess
import sys
from typing import Any

import pytest
from fastapi.testclient import TestClient

from jobs.settings import Settings

MAX_EXAMPLES = 5
NO_REGULARIZERS = [{"op": "replace", "path": "/regularizers", "value": []}]
SWEEPS: list[dict[str, Any]] = [
    {},
    {"axes": [], "variants": [{"name": "l1"}, {"name": "none", "patch": NO_REGULARIZERS}]},
    {"axes": [], "strategy": {"kind": "ablation"}},
]


@pytest.mark.timeout(600)  # it sends thousands of requests
def test_no_request_makes_the_server_fail_or_leave_its_document(
    client: TestClient,
    token: str,
    with_tables: Settings,
    sweep_spec: dict[str, Any],
    finished: str,
    end_jobs: Any,
    serve: Any,
    free_tcp_port: int,
) -> None:
    made = [client.post("/v1/sweeps", json=sweep_spec | sweep) for sweep in SWEEPS]
    num_members = sum(answer.json()["counts"]["queued"] for answer in made)
    end_jobs([{"metrics": {"validation/loss": 0.5, "test/loss": 0.5 + n / 100}} for n in range(num_members)])

    with serve(with_tables, free_tcp_port) as (url, _):
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--exclude-checks", "positive_data_acceptance"),
            *("--max-examples", str(MAX_EXAMPLES), "--seed", "0", "--generation-deterministic"),
            *("--suppress-health-check", "all", "--no-color", "--continue-on-failure"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
