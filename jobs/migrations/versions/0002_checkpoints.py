"""What jobs need to be taken up again: their newest checkpoint, a resume that came early, files owed after a loss."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; jobs of before owe nothing."""
    op.add_column("jobs", sa.Column("checkpoint", sa.JSON()))
    op.add_column("jobs", sa.Column("resume_requested", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("jobs", sa.Column("owes_files", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_jobs_owes_files_finished_at", "jobs", ["owes_files", "finished_at"])
