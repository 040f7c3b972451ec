"""The files that a job leaves behind: stored as artifacts, or made from the job's log if it has no run any more."""

import tempfile
from pathlib import Path
from typing import Any

from jobs.artifacts import ArtifactStore, media_type
from jobs.model import ArtifactRow
from jobs.store import Store
from regcore.record import metrics_csv

_PAGE = 1_000


def keep_file(artifacts: ArtifactStore, path: Path) -> ArtifactRow:
    """Put one file into the artifact store, under its own name."""
    sha256, size_bytes = artifacts.put(path)
    return ArtifactRow(path.name, size_bytes, sha256, media_type(path.name))


def archive(store: Store, artifacts: ArtifactStore, tenant: str, job_id: str) -> list[ArtifactRow]:
    """Make `log.txt` and `metrics.csv` of a job that ended while no worker had it."""
    job = store.get(tenant, job_id)
    lines = logged_lines(store, tenant, job_id)
    if job.state_reason is not None:
        lines.append(f"{job.state_reason['code']}: {job.state_reason['message']}")
    with tempfile.TemporaryDirectory(prefix="regcore-archive-") as folder:
        log, metrics = Path(folder) / "log.txt", Path(folder) / "metrics.csv"
        log.write_text("".join(f"{line}\n" for line in lines), "utf-8", "backslashreplace")
        metrics.write_text(metrics_csv(metrics_rows(store, tenant, job_id)), "utf-8")
        return [keep_file(artifacts, path) for path in (log, metrics)]


def logged_lines(store: Store, tenant: str, job_id: str) -> list[str]:
    """The job's log so far, from all its runs."""
    return [row["message"] for row in _bodies(store, tenant, job_id, "log")]


def metrics_rows(store: Store, tenant: str, job_id: str) -> list[dict[str, Any]]:
    """The job's metrics so far, as the api serves them."""
    return _bodies(store, tenant, job_id, "metrics")


def _bodies(store: Store, tenant: str, job_id: str, kind: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = 0
    while True:
        page = store.records(tenant, job_id, after, _PAGE, kinds=(kind,))
        rows.extend({"seq": record.seq, "at": record.at, **record.body} for record in page)
        if len(page) < _PAGE:
            return rows
        after = page[-1].seq
