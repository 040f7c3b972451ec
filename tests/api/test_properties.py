"""Whatever the document allows, and much that it does not: the live server never fails, and keeps to its document."""

import subprocess
import sys
from typing import Any

from fastapi.testclient import TestClient

from jobs.settings import Settings

MAX_EXAMPLES = 5
L1 = {"kind": "l1", "strength": 1e-4}
SWEEPS = [
    {"axes": [{"pointer": "/regularizers/0/strength", "values": [1e-4, 1e-3]}]},
    {
        "variants": [
            {"name": "l1"},
            {"name": "none", "patch": [{"op": "replace", "path": "/regularizers", "value": []}]},
        ]
    },
    {"strategy": {"kind": "ablation"}},
]


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
    base = {"base": sweep_spec["base"] | {"regularizers": [L1]}, "seeds": [0, 1]}
    made = [client.post("/v1/sweeps", json=base | sweep) for sweep in SWEEPS]
    num_members = [answer.json()["counts"]["queued"] for answer in made]
    end_jobs([{"metrics": {"validation/loss": 0.5, "test/loss": 0.5 + n / 100}} for n in range(sum(num_members))])

    with serve(with_tables, free_tcp_port) as (url, _):
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
            *("--header", f"Authorization: Bearer {token}", "--exclude-checks", "positive_data_acceptance"),
            *("--max-examples", str(MAX_EXAMPLES), "--seed", "0", "--generation-deterministic"),
            *("--suppress-health-check", "all", "--no-color", "--continue-on-failure"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
