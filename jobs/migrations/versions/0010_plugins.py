"""Plugins: which installed packages a job needs, and which a worker has."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add both columns; no job of before needs a plugin, and no worker of before is known to have one."""
    op.add_column("jobs", sa.Column("plugins", sa.Text()))
    op.add_column("workers", sa.Column("plugins", sa.JSON()))
