"""Whatever the document allows, and much that it does not: the live server never fails, and keeps to its document.

Schemathesis sends it, with all of its checks but `positive_data_acceptance`: what a schema cannot say, such as that a
model's layers fit each other, is refused too. It seldom guesses which job has files and which sweep variants, so it is
told: and that it got their answers is part of the test.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from jobs.settings import Settings

MAX_EXAMPLES = 5
REFUSALS = (
    "[checks.negative_data_rejection]\n"
    'expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422"]\n'
)
"""Also 413: lists that may have thousands of items are refused for their bytes first."""
MANY_KINDS = 4
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
    dataset_id: str,
    end_jobs: Any,
    serve: Any,
    free_tcp_port: int,
    tmp_path: Path,
) -> None:
    made = [client.post("/v1/sweeps", json=sweep_spec | sweep).json() for sweep in SWEEPS]
    num_members = sum(one["counts"]["queued"] for one in made)
    end_jobs([{"metrics": {"validation/loss": 0.5, "test/loss": 0.5 + n / 100}} for n in range(num_members)])
    told = {
        "/v1/sweeps/{sweep_id}/path": {"sweep_id": made[0]["id"]},
        "/v1/sweeps/{sweep_id}/comparison": {"sweep_id": made[1]["id"]},
        "/v1/sweeps/{sweep_id}/ablation": {"sweep_id": made[2]["id"]},
        "/v1/datasets/{dataset_id}": {"dataset_id": dataset_id},
        "/v1/datasets/{dataset_id}/preview": {"dataset_id": dataset_id},
        "/v1/jobs/{job_id}/report": {"job_id": finished},
        "/v1/jobs/{job_id}/artifacts/{name}": {"job_id": finished, "name": "log.txt"},
    }
    (tmp_path / "openapi.json").write_text(json.dumps(_with_some_kinds(client.get("/openapi.json").json())))
    (tmp_path / "told.toml").write_text(_configuration(told))
    (tmp_path / "untold.toml").write_text(
        REFUSALS
    )  # the stateful phase follows links instead, and deletes what it meets

    with serve(with_tables, free_tcp_port) as (url, _):
        for phases, configuration in (("examples,coverage,fuzzing", "told.toml"), ("stateful", "untold.toml")):
            command = [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(tmp_path / configuration)),
                *(
                    "run",
                    str(tmp_path / "openapi.json"),
                    "--url",
                    url,
                    "--phases",
                    phases,
                    "--report-har-path",
                    str(tmp_path / f"{phases}.har"),
                ),
                *("--header", f"Authorization: Bearer {token}", "--exclude-checks", "positive_data_acceptance"),
                *("--max-examples", str(MAX_EXAMPLES), "--seed", "0", "--generation-deterministic"),
                *("--suppress-health-check", "all", "--no-color", "--continue-on-failure"),
                *("--request-timeout", "60"),
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

    missed = {path.format(**ids) for path, ids in told.items()} - _answered(tmp_path / "examples,coverage,fuzzing.har")
    assert not missed, "Schemathesis never had these answers"


def _with_some_kinds(node: Any) -> Any:
    """The document with at most a few of many kinds of layers and regularizers.

    All kinds declare their fields alike, and each is tested beside it; sent all of them, this takes minutes more.
    """
    if isinstance(node, list):
        return [_with_some_kinds(one) for one in node]
    if not isinstance(node, dict):
        return node
    some = {name: _with_some_kinds(value) for name, value in node.items()}
    if len(some.get("oneOf", ())) > MANY_KINDS and "discriminator" in some:
        some["oneOf"] = some["oneOf"][:: len(some["oneOf"]) // MANY_KINDS]
        kept = {one["$ref"] for one in some["oneOf"]}
        mapping = some["discriminator"]["mapping"]
        some["discriminator"] |= {"mapping": {kind: ref for kind, ref in mapping.items() if ref in kept}}
    return some


def _configuration(told: Mapping[str, Mapping[str, str]]) -> str:
    """Schemathesis' configuration, with the parameters of some paths."""
    operations = [REFUSALS]
    for path, ids in told.items():
        known = ", ".join(f"{name} = {json.dumps(value)}" for name, value in ids.items())
        operations.append(f"[[operations]]\ninclude-path = {json.dumps(path)}\nparameters = {{ {known} }}\n")
    return "\n".join(operations)


def _answered(har: Path) -> set[str]:
    """The paths with an answer of 200."""
    entries = json.loads(har.read_text("utf-8"))["log"]["entries"]
    return {urlsplit(one["request"]["url"]).path for one in entries if one["response"]["status"] == 200}
