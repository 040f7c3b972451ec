"""For resuming jobs: the newest checkpoint, a resume during a pause, files that are missing after a loss."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; older jobs miss no files."""
    op.add_column("jobs", sa.Column("checkpoint", sa.JSON()))
    op.add_column("jobs", sa.Column("resume_requested", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("owes_files", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_jobs_owes_files_finished_at", "jobs", ["owes_files", "finished_at"])
