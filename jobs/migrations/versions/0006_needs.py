"""Which jobs need others: these are not deleted before the first have ended."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the table, with the needs of older jobs that have not ended."""
    op.create_table(
        "job_needs",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("needed_id", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_needs_job_id_jobs", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "needed_id", name="pk_job_needs"),
    )
    op.create_index("ix_job_needs_needed_id", "job_needs", ["needed_id"])
    # A job that resumes from another's checkpoint, or from its group's, needs that job; otherwise the one of init_from.
    op.execute(
        "INSERT INTO job_needs (job_id, needed_id) SELECT child.id, parent.id "
        "FROM jobs AS child JOIN jobs AS parent ON parent.id = child.parent_job_id "
        "WHERE child.checkpoint->>'owner' IN (parent.id, parent.checkpoint->>'owner') "
        "AND child.state NOT IN ('succeeded', 'failed', 'cancelled')"
    )
    op.execute(
        "INSERT INTO job_needs (job_id, needed_id) SELECT id, resolved_spec->'init_from'->>'job_id' FROM jobs "
        "WHERE resolved_spec->'init_from'->>'job_id' IS NOT NULL AND state NOT IN ('succeeded', 'failed', 'cancelled') "
        "AND id NOT IN (SELECT job_id FROM job_needs)"
    )
