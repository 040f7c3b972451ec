"""Jobs that are created at the same moment are claimed in the order of their turns."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the turn, the same for all older jobs, and put it into the order in which jobs are claimed."""
    op.add_column("jobs", sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("ix_jobs_claim_order", "jobs")
    op.create_index("ix_jobs_claim_order", "jobs", ["state", sa.desc("priority"), "created_at", "turn", "id"])
