"""Jobs from before targets were scaled were trained on unscaled targets, and their reruns are too."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_PAGE = 1000
_jobs = sa.table("jobs", sa.column("id", sa.String), sa.column("resolved_spec", sa.JSON))


def upgrade() -> None:
    """Write that into their resolved specs; otherwise the missing field would get today's default.

    Row by row, not by a function of the database: so the specs keep the order of their keys.
    """
    connection = op.get_bind()
    last = ""
    while True:
        page = sa.select(_jobs).where(_jobs.c.id > last).order_by(_jobs.c.id).limit(_PAGE)
        rows = connection.execute(page).all()
        for job_id, spec in rows:
            data = spec.get("data", {})
            if "kind" in data and "standardize_target" not in data:
                changed = {**spec, "data": {**data, "standardize_target": False}}
                connection.execute(sa.update(_jobs).where(_jobs.c.id == job_id).values(resolved_spec=changed))
        if len(rows) < _PAGE:
            return
        last = rows[-1].id
