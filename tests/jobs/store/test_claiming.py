"""Which job a worker claims, and who of its group comes along."""

from collections.abc import Callable

from sqlalchemy import event, text

from jobs.database import Database
from jobs.model import Capabilities, Job
from jobs.store import Store


def test_a_claim_of_a_long_queue_sorts_nothing(
    store: Store, database: Database, submit: Callable[..., Job], cpu: Capabilities
) -> None:
    for _ in range(300):
        submit()
    with database.write() as connection:
        connection.execute(text("ANALYZE"))
    queries: list[tuple[str, object]] = []
    event.listen(
        store._database.engine,
        "before_cursor_execute",
        lambda *args: queries.append((args[2], args[3])) if "ORDER BY" in args[2] else None,
    )

    store.claim("wrk_1", cpu)

    statement, parameters = queries[0]
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.write() as connection:
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(explain + statement, parameters))
    assert "ix_jobs_claim_order" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
