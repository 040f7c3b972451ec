"""The command line where the server, the key or the job is not as hoped: what it says, and with which exit code."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from small_proxy import SmallProxy

Regcore = Callable[..., subprocess.CompletedProcess[str]]

JOB_ID = "job_" + "0" * 26
SPEC = '{"data": {"kind": "builtin", "name": "digits"}, "model": {"kind": "linear"}}'
SWEEP_SPEC = f'{{"base": {SPEC}}}'


@pytest.mark.parametrize(
    ("command", "spec"),
    [(("watch", JOB_ID), ""), (("submit", "-", "--follow"), SPEC), (("sweep", "-", "--follow"), SWEEP_SPEC)],
)
def test_a_timeout_bounds_the_first_request_too_and_is_124(
    server: Any, regcore: Regcore, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], spec: str
) -> None:
    with SmallProxy() as silent:
        monkeypatch.setenv("REGCORE_URL", silent.url)

        done = regcore(*command, "--timeout", "1", stdin=spec)

    assert (done.returncode, done.stdout) == (124, "")
    assert f"No answer from {silent.url} within 1 s." in done.stderr


def test_a_timeout_that_passes_while_the_job_runs_is_124_and_names_the_job(server: Any, regcore: Regcore) -> None:
    done = regcore("submit", "-", "--follow", "--timeout", "0.3", stdin=SPEC)

    assert done.returncode == 124
    assert f"{next(iter(server.jobs))} is still queued" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("flags", [(), ("--json",), ("--timeout", "9")], ids=" ".join)
def test_a_job_that_failed_is_shown_and_is_1(server: Any, regcore: Regcore, flags: tuple[str, ...]) -> None:
    regcore("submit", "-", "--idempotency-key", "k", stdin=SPEC)
    reason = {"code": "diverged", "message": "The loss is not finite."}
    server.jobs[server.keys["k"]].update(state="failed", state_reason=reason)

    done = regcore("submit", "-", "--idempotency-key", "k", "--follow", *flags, stdin=SPEC)

    assert done.returncode == 1
    assert "Error" not in done.stderr
    shown = json.loads(done.stdout)["state_reason"] == reason if "--json" in flags else "diverged" in done.stdout
    assert shown


@pytest.mark.parametrize("arguments", [("--state", ""), ("--label", ":")], ids=" ".join)
def test_an_empty_filter_is_a_usage_error(server: Any, regcore: Regcore, arguments: tuple[str, ...]) -> None:
    done = regcore("jobs", *arguments)

    assert done.returncode == 2
    assert "expected" in done.stderr
    assert server.requests == []


def test_a_key_with_a_newline_works_and_one_in_quotes_is_a_usage_error_that_does_not_show_it(
    server: Any, regcore: Regcore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGCORE_API_KEY", "rc_test_secret\n")
    works = regcore("jobs")
    monkeypatch.setenv("REGCORE_API_KEY", '"rc_test_secret"')
    refused = regcore("jobs")
    doctor = regcore("doctor", "--json")

    assert (works.returncode, refused.returncode, doctor.returncode) == (0, 2, 1)
    assert refused.stderr.startswith("Error: REGCORE_API_KEY: expected a key")
    assert "secret" not in refused.stderr + refused.stdout + doctor.stderr + doctor.stdout


def test_what_would_send_the_key_in_clear_warns(server: Any, regcore: Regcore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGCORE_URL", "http://nowhere.invalid")

    done = regcore("jobs")

    assert done.returncode == 3
    assert done.stderr.startswith("Warning: The key travels in clear to http://nowhere.invalid")
