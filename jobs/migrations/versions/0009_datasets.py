"""Users' own tables: data sets, and which job trains on which."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_sortable = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table, and to each job the id of its data set; no job of before has one."""
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", _sortable),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("header", sa.String(8), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_reason", sa.JSON()),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("finished_at", sa.Double()),
        sa.Column("num_rows", sa.BigInteger()),
        sa.Column("num_columns", sa.Integer()),
        sa.Column("table_sha256", sa.String(64)),
        sa.Column("table_size_bytes", sa.BigInteger()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("num_lost_attempts", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.Column("claimable_at", sa.Double(), nullable=False),
        sa.Column("facts", sa.JSON()),
        sa.Column("preview", sa.JSON()),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint("tenant", "sha256", "header", "format", name="uq_datasets_tenant_sha256_header_format"),
    )
    op.create_index("ix_datasets_tenant_created_at_id", "datasets", ["tenant", "created_at", "id"])
    op.create_index("ix_datasets_state_claimable_at_id", "datasets", ["state", "claimable_at", "id"])
    op.create_index("ix_datasets_sha256", "datasets", ["sha256"])
    op.create_index("ix_datasets_table_sha256", "datasets", ["table_sha256"])
    op.add_column("jobs", sa.Column("dataset_id", sa.String(40)))
    op.create_index("ix_jobs_dataset_id_created_at_id", "jobs", ["dataset_id", "created_at", "id"])
