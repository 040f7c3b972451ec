"""Every setting of the servers, as ``REGCORE_…`` variables. The README's table is made from this file."""

import os
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from jobs.errors import SettingsError
from jobs.hosts import check_host
from jobs.setting_errors import explain_quotes, explain_settings
from jobs.urls import (
    check_postgresql_url,
    check_public_url,
    check_redis_url,
    file_path,
    file_url,
    sqlite_path,
    sqlite_url,
)
from jobs.variables import PREFIX, own_variables, read_secret_file

SECRETS = frozenset({"database_url", "redis_url", "artifacts_url", "server_secret"})
"""Settings that can be read from a file, which ``REGCORE_…_FILE`` names."""
_LONGEST_S = 31_536_000
"""A year: longer than any useful wait, and still a valid time for every clock."""
_HOST_NAME = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f:]+")


class Settings(BaseSettings):
    """Read from the environment; arguments take precedence."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    data_dir: Path = Field(
        Path(".regcore"),
        description="Where the embedded stack keeps everything: database, artifacts, key, logs.",
    )
    database_url: str = Field(
        default_factory=lambda values: sqlite_url(values["data_dir"] / "regcore.db"),
        description="`sqlite:///path` or `postgresql://user:password@host/name`, percent-encoded as URLs are (`%23` is "
        "`#`). Default: SQLite in the data directory.",
    )
    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        description="Redis or Valkey for Celery's messages and live wake-ups: `redis://…` or `unix:///path`, "
        "percent-encoded.",
    )
    artifacts_url: str = Field(
        default_factory=lambda values: file_url(values["data_dir"] / "artifacts"),
        description="Where artifacts lie: `file:///path`, percent-encoded. Default: a folder in the data directory.",
    )
    server_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="Keys are stored as HMACs under this secret; every api replica needs the same. "
        "Default: made at the first start, in the data directory.",
    )
    bootstrap_key_file: Path | None = Field(
        None, description="A file with the first API key (`rc_<id>_<secret>`), for containers."
    )

    host: str = Field("127.0.0.1", description="Address that the api listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the api listens on.")
    public_url: str | None = Field(None, description="URL under which users reach the api, if a proxy is before it.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Host names that the api answers to besides loopback and its own, with commas between.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks (`10.0.0.0/8`) of proxies, with commas between, that are believed about the "
        "client's address (`X-Forwarded-For`), which the log shows; `*` for any.",
    )
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="Largest request body.")
    max_dataset_bytes: int = Field(20_000_000_000, ge=1, description="Largest file that may be uploaded.")
    upload_patience_s: float = Field(
        30,
        gt=0,
        le=_LONGEST_S,
        description="An upload that brings less than 64 KiB in this time is given up, and leaves nothing.",
    )
    idempotency_ttl_s: float = Field(86_400, ge=86_400, description="How long an Idempotency-Key is kept.")
    priority_step_s: float = Field(
        86_400,
        ge=0,
        allow_inf_nan=False,
        description="What a step of `priority` is worth: a `high` job goes before `normal` ones that came up to this "
        "much earlier, so that none waits for ever. Applied when a job is submitted; 0 makes priorities mean nothing.",
    )
    max_epochs: int = Field(100_000, ge=1, description="Most epochs that a job may ask for.")
    max_parameters: int = Field(2 * 10**8, ge=1, description="Most parameters that a model may have.")
    max_steps: int = Field(10**8, ge=1, description="Most optimizer steps that a job may ask for.")
    max_sweep_members: int = Field(10_000, ge=1, description="Most jobs that a sweep may have.")
    max_sweep_bytes: int = Field(
        100_000_000, ge=1, description="What the plans of a sweep's jobs may take together, as JSON."
    )

    slots: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = Field(
        "auto", description="Jobs that a worker runs at once; `auto`: one for each GPU, or one on CPU."
    )
    pool: str | None = Field(None, description="The worker's pool; jobs may ask for one in `resources.pool`.")
    lease_s: float = Field(
        30, ge=0.5, le=_LONGEST_S, description="A worker that is silent for this long has lost its jobs."
    )
    reconcile_interval_s: float = Field(
        3,
        gt=0,
        le=_LONGEST_S,
        description="How often a worker looks for expired leases and for jobs whose message was lost.",
    )
    max_attempts: int = Field(
        3, ge=1, description="A job that is lost this many times in a row, without a checkpoint in between, fails."
    )
    cancel_grace_s: float = Field(
        1, ge=0, le=_LONGEST_S, description="How long a cancelled run may take to stop by itself before it is killed."
    )
    drain_grace_s: float = Field(
        20,
        ge=0,
        le=_LONGEST_S,
        description="How long a run may take to save a checkpoint and stop, when it is paused or its worker shuts "
        "down, before it is killed; it then goes on from the checkpoint before.",
    )
    checkpoints_dir: Path = Field(
        default_factory=lambda values: values["data_dir"] / "checkpoints",
        description="Where running and paused jobs are saved. Workers share it; else another node begins anew.",
    )
    keep_checkpoints_s: float = Field(
        604_800.0, ge=0, description="How long the checkpoint of a job that failed or was cancelled waits for a rerun."
    )
    max_fused: int = Field(64, ge=1, le=1024, description="Most jobs that train in one pass; 1 trains each alone.")
    max_checkpoint_bytes: int = Field(
        10_000_000_000, ge=1, description="Disk that the checkpoints of one job may take together."
    )
    max_log_bytes: int = Field(10_000_000, ge=10_000, description="Largest `log.txt` of a job; the rest is dropped.")
    parser_memory_bytes: int = Field(
        2_000_000_000, ge=300_000_000, description="Memory that the process which reads an uploaded file may take."
    )
    parser_timeout_s: float = Field(
        1_800, gt=0, le=_LONGEST_S, description="How long reading an uploaded file may take before it is refused."
    )
    max_tables_bytes: int = Field(
        20_000_000_000,
        ge=0,
        description="Disk that a worker's copies of uploaded tables may take together; those unused for longest go "
        "first, and none while a job trains on it.",
    )
    data_sets_dir: Path = Field(
        default_factory=lambda values: values["data_dir"] / "datasets",
        description="Where torchvision's data sets lie.",
    )
    allow_downloads: bool = Field(False, description="Whether torchvision's data sets may be downloaded.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")

    @field_validator("data_dir", "data_sets_dir", "checkpoints_dir", "bootstrap_key_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # Child processes may have another working directory.
        try:
            return None if path is None else path.expanduser().absolute()
        except (RuntimeError, OSError):  # ~nobody, or a relative path where the working directory is gone
            raise ValueError("expected an absolute path, or one that begins in a folder that exists") from None

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_small_letters(cls, level: Any) -> Any:
        return level.lower() if isinstance(level, str) else level

    @field_validator("host")
    @classmethod
    def _is_host(cls, host: str) -> str:
        return check_host(host)

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                return check_postgresql_url("postgresql+psycopg://" + url.removeprefix(scheme))
        if url.startswith("postgresql+psycopg://"):
            return check_postgresql_url(url)
        path = sqlite_path(url)
        if path is None:
            raise ValueError("expected sqlite:///path or postgresql://…; several processes share it")
        return sqlite_url(path)

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        return check_redis_url(url)

    @field_validator("artifacts_url")
    @classmethod
    def _is_file(cls, url: str) -> str:
        return file_url(file_path(url))

    @field_validator("public_url")
    @classmethod
    def _takes_a_path(cls, url: str | None) -> str | None:
        return None if url is None else check_public_url(url)

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, names: Any) -> Any:
        return tuple(filter(None, (name.strip() for name in names.split(",")))) if isinstance(names, str) else names

    @field_validator("allowed_hosts")
    @classmethod
    def _are_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [host for host in hosts if not _HOST_NAME.fullmatch(host)]
        if wrong:
            raise ValueError(
                f"expected names such as api.example.com, *.example.com or *, without a port; got {wrong[0]}"
            )
        return hosts

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            if network != "*":
                try:
                    ip_network(network)
                except ValueError as error:
                    raise ValueError(f"expected addresses, networks such as 10.0.0.0/8, or *: {error}") from None
        return networks

    @property
    def artifacts_dir(self) -> Path:
        """The folder that ``artifacts_url`` names."""
        return file_path(self.artifacts_url)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then variables, then the files that variables name."""
        return init_settings, _Variables(settings_cls)


class _Variables(EnvSettingsSource):
    """Reads ``REGCORE_X`` for each setting X, or for a secret the file that ``REGCORE_X_FILE`` names."""

    def __call__(self) -> dict[str, Any]:
        variables = own_variables(os.environ)
        found = {name: variables[variable] for name, variable in VARIABLES.items() if variable in variables}
        for name, variable in file_variables(variables).items():
            if name not in found:
                try:
                    found[name] = read_secret_file(Path(variables[variable]))
                except ValueError as error:
                    raise SettingsError(f"{variable}: {error}.") from None
        return found


VARIABLES = {name: f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
"""The variable of each setting."""


def file_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that name a file for a secret, by the secret."""
    named = {name: f"{VARIABLES[name]}_FILE" for name in sorted(SECRETS)}
    return {name: variable for name, variable in named.items() if variable in variables}


def load_settings() -> Settings:
    """Return the settings in the environment.

    Raises:
        SettingsError: A line for each that cannot be used, with its variable.
    """
    variables = own_variables(os.environ)
    values = {name: variables[variable] for name, variable in VARIABLES.items() if variable in variables}
    if quoted := explain_quotes(values, SECRETS):
        raise SettingsError(*quoted)
    try:
        return Settings()
    except ValidationError as error:
        files = file_variables(variables).keys() - values.keys()
        raise SettingsError(*explain_settings(error, Settings.model_json_schema(), SECRETS, files)) from None
