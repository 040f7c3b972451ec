"""A priority counts as a time of waiting, so that no job is overtaken for ever."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_STEP_S = 86_400
"""The default of REGCORE_PRIORITY_STEP_S; only jobs that wait during the migration are affected."""


def upgrade() -> None:
    """Add each job's place in the queue, by its age and priority, and claim jobs in that order."""
    op.add_column("jobs", sa.Column("as_if_created_at", sa.Double(), nullable=False, server_default="0"))
    # Priorities are 0 for low, 1 for normal, 2 for high.
    op.execute(f"UPDATE jobs SET as_if_created_at = created_at - (priority - 1) * {_STEP_S}")  # noqa: S608 - a constant
    op.drop_index("ix_jobs_claim_order", "jobs")
    op.create_index("ix_jobs_claim_order", "jobs", ["state", "as_if_created_at", "turn", "id"])
