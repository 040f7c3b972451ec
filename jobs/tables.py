"""The tables, as the code reads them. Only the migrations create them; a test compares the two."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_REVISION = "0011"
"""The migration that this code needs; it is here so that checking it does not import Alembic."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# JSON and not JSONB: bodies are returned with their keys in the order in which they were sent.
_json = JSON(none_as_null=True)
# Names sort by code point on both databases, so that both give lists the same order.
_sortable = Text().with_variant(Text(collation="C"), "postgresql")

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("worker_id", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("ended_at", Double),
    Index(None, "ended_at", "lease_until"),
    # An id is a fence: SQLite must never use one again.
    sqlite_autoincrement=True,
)

sweeps = Table(
    "sweeps",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("name", _sortable),
    Column("labels", _json, nullable=False),
    Column("spec", _json, nullable=False),
    Column("num_members", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "tenant", "created_at", "id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", _sortable),
    Column("labels", _json, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_reason", _json),
    Column("attempt", Integer, nullable=False),
    Column("progress", _json, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("heartbeat_at", Double),
    Column("spec", _json, nullable=False),
    Column("resolved_spec", _json, nullable=False),
    Column("plan", _json, nullable=False),
    Column("warnings", _json, nullable=False),
    Column("result", _json),
    Column("usage", _json, nullable=False),
    Column("sweep_id", String(40)),
    Column("sweep", _json),
    Column("parent_job_id", String(40)),
    Column("dataset_id", String(40)),
    # The following columns are internal, and not shown to users.
    Column("device", String(16), nullable=False),
    Column("pool", Text),
    Column("run_id", Integer, ForeignKey("runs.id")),
    Column("checkpoint", _json),
    Column("resume_requested", Boolean, nullable=False),
    Column("owes_files", Boolean, nullable=False),
    Column("last_seq", Integer, nullable=False),
    Column("num_lost_attempts", Integer, nullable=False),
    Column("claimable_at", Double, nullable=False),
    Column("publish_at", Double, nullable=False),
    Column("num_publishes", Integer, nullable=False),
    Column("fusion_key", String(64)),
    Column("member_bytes", BigInteger, nullable=False),
    Column("group_id", String(40)),
    Column("alone", Boolean, nullable=False),
    Column("turn", Integer, nullable=False),
    # Its place in the queue: `created_at`, moved by what the priority is worth. It never changes.
    Column("as_if_created_at", Double, nullable=False),
    # Packages that its worker must have, as `jobs.store.plugins` writes them.
    Column("plugins", Text),
    Index(None, "tenant", "created_at", "id"),
    Index(None, "tenant", "finished_at", "id"),
    # In the order in which jobs are claimed, so that a claim reads one row of a long queue without sorting.
    Index("ix_jobs_claim_order", "state", "as_if_created_at", "turn", "id"),
    Index(None, "run_id"),
    Index(None, "owes_files", "finished_at"),
    Index(None, "state", "fusion_key"),
    Index(None, "group_id"),
    Index(None, "sweep_id", "id"),
    Index(None, "dataset_id", "created_at", "id"),
)

datasets = Table(
    "datasets",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", _sortable),
    Column("sha256", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("header", String(8), nullable=False),
    Column("format", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_reason", _json),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("finished_at", Double),
    Column("num_rows", BigInteger),
    Column("num_columns", Integer),
    Column("modality", String(16)),
    # The following columns are internal, and not shown to users.
    Column("table_sha256", String(64)),
    Column("table_size_bytes", BigInteger),
    # The fence: it grows with every claim, and a write names the one that it belongs to.
    Column("attempt", Integer, nullable=False),
    Column("num_lost_attempts", Integer, nullable=False),
    Column("worker_id", Text),
    Column("lease_until", Double),
    Column("claimable_at", Double, nullable=False),
    # Last, because they may be large, and SQLite reads a row up to the column that is wanted.
    Column("facts", _json),
    Column("preview", _json),
    UniqueConstraint("tenant", "sha256", "header", "format"),
    Index(None, "tenant", "created_at", "id"),
    Index(None, "state", "claimable_at", "id"),
    Index(None, "sha256"),
    Index(None, "table_sha256"),
)

sweep_rungs = Table(
    "sweep_rungs",
    metadata,
    Column("sweep_id", String(40), ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("job_id", String(40), primary_key=True),
    Column("variant", Text),
    Column("candidate", Text, nullable=False),
    Column("value", Double),
    Column("goes_on", Boolean, nullable=False),
)

job_labels = Table(
    "job_labels",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index(None, "key", "value"),
)

job_needs = Table(
    "job_needs",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("needed_id", String(40), primary_key=True),
    Index(None, "needed_id"),
)

records = Table(
    "records",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("key", Text),
    Column("body", _json, nullable=False),
    UniqueConstraint("job_id", "kind", "key"),
    Index(None, "job_id", "kind", "seq"),
)

artifacts = Table(
    "artifacts",
    metadata,
    Column("job_id", String(40), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", Text, nullable=False),
    Index(None, "sha256"),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant", String(100), primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("answer", _json, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "created_at"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(100), nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hmac", String(64), nullable=False),
    Column("scopes", _json, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("last_used_at", Double),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("node", Text, nullable=False),
    Column("pool", Text),
    Column("devices", _json, nullable=False),
    Column("draining", Boolean, nullable=False),
    Column("slots", _json, nullable=False),
    Column("versions", _json, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("heartbeat_at", Double, nullable=False),
    # Null for a worker that was there before there were any.
    Column("plugins", _json),
)
