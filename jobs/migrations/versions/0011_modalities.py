"""Modalities: what the rows of a data set are."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column; every data set of before that could be read is a table."""
    op.add_column("datasets", sa.Column("modality", sa.String(16)))
    datasets = sa.table("datasets", sa.column("state", sa.String), sa.column("modality", sa.String))
    op.execute(datasets.update().where(datasets.c.state == "ready").values(modality="table"))
