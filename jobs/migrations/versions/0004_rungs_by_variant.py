"""Members of a halving compete only within their variant."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the variant; older rungs take that of their jobs."""
    op.add_column("sweep_rungs", sa.Column("variant", sa.Text()))
    op.execute(
        "UPDATE sweep_rungs SET variant = (SELECT jobs.sweep->>'variant' FROM jobs WHERE jobs.id = sweep_rungs.job_id)"
    )
