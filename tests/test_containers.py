"""What the images and the compose file promise, read from the files: no container engine runs here."""

import os
import re
import shutil
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.keys import Token
from jobs.settings import PREFIX, SECRETS, Settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _stages() -> dict[str, str]:
    """The Dockerfile's stages, each with its text."""
    parts = re.split(r"^FROM \S+ AS (\S+)\n", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_hadolint_finds_nothing() -> None:
    ran = subprocess.run([_tool("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "")


def test_compose_file_is_valid_by_the_specifications_schema() -> None:
    check = [_tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec"]

    ran = subprocess.run([*check, str(ROOT / "docker-compose.yml")], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_an_unknown_key_in_the_compose_file_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    services = SERVICES | {"api": SERVICES["api"] | {"no_such_key": 1}}
    wrong.write_text(yaml.safe_dump(COMPOSE | {"services": services}), "utf-8")

    check = [_tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(wrong)]
    ran = subprocess.run(check, capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert "no_such_key" in ran.stdout + ran.stderr


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_runs_unprivileged_and_tells_its_health(target: str) -> None:
    stage = _stages()[target]

    uid, gid = re.search(r"^USER (\d+):(\d+)$", stage, re.MULTILINE).groups()
    assert int(uid) > 0
    assert int(gid) > 0
    assert re.search(r"^HEALTHCHECK .*\\\n +CMD \[", stage, re.MULTILINE)
    assert stage.rstrip().endswith(f'CMD ["python", "-m", "{target}"]')


def test_the_api_image_is_built_without_torch_and_checks_it() -> None:
    stage = _stages()["build-api"]

    assert "'.[api]'" in stage
    assert "worker" not in stage
    assert "sys.exit('torch' in sys.modules)" in stage


def test_base_images_are_pinned_to_a_patch_version() -> None:
    bases = re.findall(r"^FROM (\S+) AS", DOCKERFILE, re.MULTILINE)
    external = [base for base in bases if base not in _stages()]
    services = [service["image"] for service in SERVICES.values() if "build" not in service]

    assert external
    assert services
    assert [image for image in external + services if not re.search(r":\d+\.\d+(\.\d+)?-", image)] == []


def test_the_build_context_holds_only_what_images_need() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").split()

    assert "*" in lines
    assert not {"!secrets", "!.regcore", "!.git"} & set(lines)
    for source in re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", DOCKERFILE, re.MULTILINE):
        assert all(f"!{name.split('/')[0]}" in lines for name in source.split())


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    service = SERVICES[name]

    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("privileged", False) is False
    if "build" not in service:
        assert int(service["user"].split(":")[0]) > 0


def test_every_service_tells_its_health() -> None:
    without = {name for name, service in SERVICES.items() if "build" not in service and "healthcheck" not in service}

    assert without == set()


def test_there_is_a_worker_with_a_gpu_and_one_without() -> None:
    (device,) = SERVICES["worker"]["deploy"]["resources"]["reservations"]["devices"]

    assert device["capabilities"] == ["gpu"]
    assert SERVICES["worker"]["profiles"] == ["gpu"]
    assert SERVICES["worker-cpu"]["profiles"] == ["cpu"]
    assert "deploy" not in SERVICES["worker-cpu"]


def test_redis_keeps_its_messages_drops_none_and_wants_a_password() -> None:
    command = SERVICES["redis"]["command"][-1]

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "requirepass" in command
    assert "redis_password" in SERVICES["redis"]["secrets"]


def test_only_the_api_is_reachable_and_on_loopback_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert list(published) == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in published["api"])
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert all(service["networks"] == ["inside"] for name, service in SERVICES.items() if name != "api")


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_an_environment(name: str) -> None:
    environment = SERVICES[name].get("environment", {})

    for variable, value in environment.items():
        is_secret = re.search(r"PASSWORD|SECRET|KEY|URL", variable) and variable != "REGCORE_PUBLIC_URL"
        assert not is_secret or variable.endswith("_FILE")
        if variable.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in SERVICES[name]["secrets"]


@pytest.mark.parametrize("name", ["api", "migrate", "worker", "worker-cpu"])
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"{PREFIX}{setting.upper()}" for setting in Settings.model_fields}
    known |= {f"{PREFIX}{setting.upper()}_FILE" for setting in SECRETS}

    assert set(SERVICES[name]["environment"]) <= known


FIXED = {"data_dir", "database_url", "redis_url", "artifacts_url", "checkpoints_dir", "data_sets_dir", "host", "port"}
"""What the images and the compose file decide themselves."""


@pytest.mark.parametrize("name", ["api", "migrate", "worker", "worker-cpu"])
def test_every_setting_of_an_operators_is_passed_from_outside(name: str) -> None:
    passed = {variable for variable, value in SERVICES[name]["environment"].items() if value is None}

    of_files = {"server_secret", "bootstrap_key_file"}
    assert passed == {f"{PREFIX}{one.upper()}" for one in set(Settings.model_fields) - FIXED - of_files}


def test_the_example_of_an_env_file_has_every_variable_with_its_default() -> None:
    lines = (ROOT / "docker/env.example").read_text("utf-8").splitlines()
    shown = dict(line.removeprefix("#").split("=", 1) for line in lines if re.match(r"#[A-Z_]+=", line))

    interpolated = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text("utf-8")))
    passed = {variable for variable, value in SERVICES["api"]["environment"].items() if value is None}
    assert set(shown) == passed | interpolated
    examples = {"REGCORE_PUBLIC_URL", "REGCORE_TRUSTED_PROXIES"}
    values = {name.removeprefix(PREFIX).lower(): shown[name] for name in passed - examples if shown[name]}
    assert Settings(**values) == Settings()


def test_a_variable_that_is_passed_empty_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Settings()
    for variable, value in SERVICES["api"]["environment"].items():
        if value is None:
            monkeypatch.setenv(variable, "")

    assert Settings() == expected


@pytest.mark.parametrize("answers", [True, False])
def test_the_apis_health_check_asks_the_process_whatever_proxy_the_environment_names(answers: bool) -> None:
    class Alive(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Alive) as server:
        environment = {"PATH": os.defpath, "REGCORE_PORT": str(server.server_address[1]), "PYTHONPATH": str(ROOT)}
        environment |= dict.fromkeys(["HTTP_PROXY", "http_proxy", "ALL_PROXY"], "http://127.0.0.1:9")
        if answers:
            threading.Thread(target=server.handle_request).start()
        else:
            server.socket.close()
        asked = subprocess.run([sys.executable, str(ROOT / "docker/api_healthy.py")], env=environment, check=False)

    assert asked.returncode == (0 if answers else 1)


@pytest.mark.parametrize(
    ("script", "variables", "said"),
    [
        ("api", {"REGCORE_PORT": '"8000"'}, "REGCORE_PORT or --port: expected the value without quotes around it"),
        ("worker", {"REGCORE_LEASE_S": "abc"}, "REGCORE_LEASE_S: expected a number"),
        ("worker", {"REGCORE_DATABASE_URL": "postgresql://u:sesame@127.0.0.1:1/x"}, "The database does not answer."),
        ("worker", {"REGCORE_PORT": "tcp://10.96.0.12:8000"}, "Run `regcore migrate` first."),
    ],
    ids=["quotes", "no number", "database away", "Kubernetes' own"],
)
def test_a_health_check_that_cannot_ask_says_why_in_one_line(
    script: str, variables: dict[str, str], said: str, tmp_path: Path
) -> None:
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "REGCORE_DATA_DIR": str(tmp_path), **variables}
    command = [sys.executable, str(ROOT / f"docker/{script}_healthy.py")]

    asked = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (asked.returncode, asked.stderr.count("\n")) == (1, 1), asked.stderr
    assert said in asked.stderr


def test_the_database_is_migrated_before_anyone_uses_it() -> None:
    assert SERVICES["migrate"]["command"] == ["python", "-m", "jobs.migrate"]
    assert SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("api", "worker", "worker-cpu"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_a_stopping_worker_has_longer_than_its_drain() -> None:
    drain_s = Settings.model_fields["drain_grace_s"].default

    (grace_s,) = re.fullmatch(r"\$\{WORKER_STOP_GRACE:-(\d+)s\}", SERVICES["worker"]["stop_grace_period"]).groups()
    assert int(grace_s) > drain_s


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder of secrets, made by a copy of the script elsewhere."""
    script = tmp_path / "docker/make-secrets"
    script.parent.mkdir()
    shutil.copy(ROOT / "docker/make-secrets", script)
    subprocess.run([str(script)], check=True, capture_output=True)
    return tmp_path / "secrets"


def test_make_secrets_writes_every_secret_behind_a_closed_folder(made: Path) -> None:
    expected = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}

    assert {path.name for path in made.iterdir()} == expected
    assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_make_secrets_writes_what_the_settings_accept(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("database_url", "redis_url", "server_secret"):
        monkeypatch.setenv(f"{PREFIX}{name.upper()}_FILE", str(made / name))

    settings = Settings()

    password = (made / "postgres_password").read_text("utf-8")
    assert settings.database_url == f"postgresql+psycopg://regcore:{password}@postgres:5432/regcore"
    assert (made / "redis_password").read_text("utf-8") in settings.redis_url
    assert settings.server_secret is not None


def test_make_secrets_writes_a_key_that_the_api_accepts(made: Path) -> None:
    token = Token.parse((made / "api_key").read_text("utf-8"))

    assert token is not None
    assert len(token.secret) >= 64  # 32 bytes in hexadecimal


def test_make_secrets_never_overwrites(made: Path) -> None:
    before = (made / "api_key").read_text("utf-8")

    again = subprocess.run([str(made.parent / "docker/make-secrets")], capture_output=True, text=True, check=False)

    assert again.returncode == 1
    assert (made / "api_key").read_text("utf-8") == before


@pytest.mark.parametrize("path", [".ci/run", ".ci/check-compose", ".ci/install-proxies", "docker/make-secrets"])
def test_scripts_can_be_run_and_parse(path: str) -> None:
    script = ROOT / path
    shell = "sh" if script.read_text("utf-8").startswith("#!/bin/sh") else "bash"

    assert os.access(script, os.X_OK)
    assert subprocess.run([shell, "-n", str(script)], check=False).returncode == 0
