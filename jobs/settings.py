"""Every setting of the servers, as ``REGCORE_…`` variables. The README's table is made from this file."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from jobs.urls import check_redis_url, file_path, file_url, sqlite_path, sqlite_url

PREFIX = "REGCORE_"
SECRETS = frozenset({"database_url", "redis_url", "artifacts_url", "server_secret"})
"""Settings that can be read from a file, which ``REGCORE_…_FILE`` names."""


class Settings(BaseSettings):
    """Read from the environment; arguments take precedence."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

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
    max_body_bytes: int = Field(1_000_000, ge=1_000, description="Largest request body.")
    idempotency_ttl_s: float = Field(86_400, ge=86_400, description="How long an Idempotency-Key is kept.")
    max_epochs: int = Field(100_000, ge=1, description="Most epochs that a job may ask for.")
    max_parameters: int = Field(10**8, ge=1, description="Most parameters that a model may have.")
    max_steps: int = Field(10**8, ge=1, description="Most optimizer steps that a job may ask for.")
    max_sweep_members: int = Field(10_000, ge=1, description="Most jobs that a sweep may have.")
    max_sweep_bytes: int = Field(
        100_000_000, ge=1, description="What the plans of a sweep's jobs may take together, as JSON."
    )

    slots: Literal["auto"] | Annotated[int, Field(ge=1, le=256)] = Field(
        "auto", description="Jobs that a worker runs at once; `auto`: one for each GPU, or one on CPU."
    )
    pool: str | None = Field(None, description="The worker's pool; jobs may ask for one in `resources.pool`.")
    lease_s: float = Field(30, ge=0.5, description="A worker that is silent for this long has lost its jobs.")
    reconcile_interval_s: float = Field(
        3,
        gt=0,
        description="How often a worker looks for expired leases and for jobs whose message was lost.",
    )
    max_attempts: int = Field(
        3, ge=1, description="A job that is lost this many times in a row, without a checkpoint in between, fails."
    )
    cancel_grace_s: float = Field(
        1, ge=0, description="How long a cancelled run may take to stop by itself before it is killed."
    )
    drain_grace_s: float = Field(
        20,
        ge=0,
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
        return None if path is None else path.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, url: str) -> str:
        for scheme in ("postgres://", "postgresql://"):
            if url.startswith(scheme):
                return "postgresql+psycopg://" + url.removeprefix(scheme)
        if url.startswith("postgresql+psycopg://"):
            return url
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
        if url is not None and (not url.startswith(("http://", "https://")) or "?" in url or "#" in url):
            raise ValueError("expected https://host/path without parameters; paths are put behind it")
        return url

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, hosts: Any) -> Any:
        return tuple(filter(None, (host.strip() for host in hosts.split(",")))) if isinstance(hosts, str) else hosts

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
        return init_settings, env_settings, _SecretFiles(settings_cls)


class _SecretFiles(EnvSettingsSource):
    """Reads ``REGCORE_X_FILE`` for each secret X."""

    def __call__(self) -> dict[str, Any]:
        paths = {name: os.environ.get(f"{PREFIX}{name.upper()}_FILE") for name in SECRETS}
        return {name: Path(path).read_text("utf-8").strip() for name, path in paths.items() if path}
