import pytest
from sqlalchemy import Table

from jobs.tables import metadata, runs


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_every_constraint_and_index_has_a_name_that_a_migration_can_say(table: Table) -> None:
    assert all(one.name for one in [*table.constraints, *table.indexes])


def test_whatever_hangs_on_a_job_goes_with_it() -> None:
    keys = [key for table in metadata.sorted_tables for key in table.foreign_keys if key.column.table.name == "jobs"]

    assert keys
    assert {key.ondelete for key in keys} == {"CASCADE"}


def test_a_fence_never_comes_again() -> None:
    assert runs.dialect_options["sqlite"]["autoincrement"]
