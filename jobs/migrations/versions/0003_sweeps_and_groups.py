"""For training many at once: sweeps, the state of their members, and the groups in which jobs train."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables and columns; older jobs train alone."""
    text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "sweeps",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("tenant", sa.String(100), nullable=False),
        sa.Column("name", text),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("num_members", sa.Integer(), nullable=False),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sweeps"),
    )
    op.create_index("ix_sweeps_tenant_created_at_id", "sweeps", ["tenant", "created_at", "id"])
    op.create_table(
        "sweep_rungs",
        sa.Column("sweep_id", sa.String(40), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("candidate", sa.Text(), nullable=False),
        sa.Column("value", sa.Double()),
        sa.Column("goes_on", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweeps.id"], name="fk_sweep_rungs_sweep_id_sweeps", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sweep_id", "epoch", "job_id", name="pk_sweep_rungs"),
    )
    op.add_column("jobs", sa.Column("sweep_id", sa.String(40)))
    op.add_column("jobs", sa.Column("sweep", sa.JSON()))
    op.add_column("jobs", sa.Column("parent_job_id", sa.String(40)))
    op.add_column("jobs", sa.Column("fusion_key", sa.String(64)))
    op.add_column("jobs", sa.Column("member_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("group_id", sa.String(40)))
    op.add_column("jobs", sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_jobs_state_fusion_key", "jobs", ["state", "fusion_key"])
    op.create_index("ix_jobs_group_id", "jobs", ["group_id"])
    op.create_index("ix_jobs_sweep_id_id", "jobs", ["sweep_id", "id"])
    op.drop_index("ix_jobs_state_priority_created_at", "jobs")
    op.create_index("ix_jobs_claim_order", "jobs", ["state", sa.desc("priority"), "created_at", "id"])
