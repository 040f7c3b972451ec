import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Connection, inspect, text

from jobs.database import Database
from jobs.migrate import main, migrate, migrate_embedded
from jobs.settings import Settings
from jobs.store import open_store
from jobs.tables import SCHEMA_REVISION, metadata
from regcore.plan import make_plan

CLAIM_ORDER = "ix_jobs_claim_order"


def test_the_migrations_make_the_tables_that_the_code_reads(database: Database) -> None:
    with database.read() as connection:
        options = {"compare_type": True, "include_object": lambda _, name, *__: name != CLAIM_ORDER}
        context = MigrationContext.configure(connection, opts=options)

        assert compare_metadata(context, metadata) == []


def test_constraints_and_collations_agree_too(database: Database) -> None:
    # What Alembic's comparison leaves out: primary keys, cascades, collations, ids that never come again, and on SQLite
    # in which direction an index sorts.
    with database.read() as connection:
        inspector = inspect(connection)
        for table in metadata.sorted_tables:
            primary = inspector.get_pk_constraint(table.name)
            assert primary["constrained_columns"] == [column.name for column in table.primary_key]
            found = {(one["name"], one["options"].get("ondelete")) for one in inspector.get_foreign_keys(table.name)}
            assert found == {(one.name, one.ondelete) for one in table.foreign_key_constraints}
        if database.is_sqlite:
            made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'runs'")).scalar_one()
            assert "AUTOINCREMENT" in made
            query = text("SELECT sql FROM sqlite_master WHERE name = :name")
            made = connection.execute(query, {"name": CLAIM_ORDER}).scalar_one()
            assert made.endswith("ON jobs (state, as_if_created_at, turn, id)")
        else:
            query = text("SELECT indexdef FROM pg_indexes WHERE indexname = :name")
            made = connection.execute(query, {"name": CLAIM_ORDER}).scalar_one()
            assert made.endswith("(state, as_if_created_at, turn, id)")
            (name,) = [one for one in inspector.get_columns("jobs") if one["name"] == "name"]
            column_type: Any = name["type"]
            assert column_type.collation == "C"


def test_the_revision_that_the_code_needs_is_the_newest() -> None:
    config = Config()
    config.set_main_option("script_location", str(files("jobs") / "migrations"))

    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_REVISION]


def test_migrating_again_is_harmless(migrated_settings: Settings) -> None:
    migrate(migrated_settings)

    open_store(migrated_settings).close()


def test_what_jobs_of_before_need_is_held_from_then_on(database_settings: Settings) -> None:
    migrate(database_settings, "0004")
    database = Database(database_settings.database_url)
    with database.write() as connection:
        for job_id, state, source, parent, owner in [
            ("waits", "paused", "source", None, None),
            ("ended", "failed", "source", None, None),
            ("free", "queued", None, None, None),
            ("saved", "cancelled", None, None, "grp_1"),
            ("lost", "failed", None, None, None),
            ("goes_on", "queued", None, "lost", "lost"),
            ("goes_on_in_a_group", "paused", "source", "saved", "grp_1"),
            ("trains_from_there", "running", "source", "lost", "lost"),
            ("began_anew", "paused", "source", "saved", "began_anew"),
            ("began_anew_in_a_group", "queued", None, "saved", "grp_2"),
            ("went_on", "succeeded", None, "lost", "lost"),
        ]:
            spec = {"init_from": source and {"job_id": source}}
            checkpoint = json.dumps(owner and {"owner": owner, "step": 7})
            _insert(connection, job_id, spec, state=state, parent_job_id=parent, checkpoint=checkpoint)

    migrate(database_settings)

    with database.read() as connection:
        needs = connection.execute(text("SELECT job_id, needed_id FROM job_needs")).all()
    database.close()
    assert sorted(tuple(row) for row in needs) == [
        ("began_anew", "source"),
        ("goes_on", "lost"),
        ("goes_on_in_a_group", "saved"),
        ("trains_from_there", "lost"),
        ("waits", "source"),
    ]


def test_jobs_of_before_targets_were_scaled_stay_without(database_settings: Settings) -> None:
    migrate(database_settings, "0006")
    database = Database(database_settings.database_url)
    old = {"task": {"loss": "mse"}, "data": {"name": "diabetes", "kind": "builtin"}, "name": None}
    scaled = {"data": {"kind": "builtin", "name": "diabetes", "standardize_target": True}}
    with database.write() as connection:
        for number in range(2500):
            _insert(connection, f"job_{number:04}", old, state="succeeded", turn=0)
        _insert(connection, "scaled", scaled, state="queued", turn=0)

    migrate(database_settings)

    query = text("SELECT id, spec, resolved_spec FROM jobs").columns(spec=JSON, resolved_spec=JSON)
    with database.read() as connection:
        found = {row.id: row for row in connection.execute(query)}
    database.close()
    assert found.pop("scaled").resolved_spec == scaled
    assert len(found) == 2500
    assert all(row.resolved_spec["data"]["standardize_target"] is False for row in found.values())
    assert list(found["job_0000"].resolved_spec) == ["task", "data", "name"]
    assert found["job_0000"].spec == {}
    again = make_plan({**found["job_0000"].resolved_spec, "model": {"kind": "linear"}})
    assert again.resolved_spec.data.standardize_target is False


def test_jobs_of_before_priorities_aged_are_claimed_by_priority_and_age(database_settings: Settings) -> None:
    migrate(database_settings, "0007")
    database = Database(database_settings.database_url)
    day_s = 86_400
    with database.write() as connection:
        for job_id, priority, at_day in [("low", 0, 8), ("high", 2, 11), ("normal", 1, 9.5), ("new", 1, 9.6)]:
            _insert(connection, job_id, {}, state="queued", turn=0, priority=priority, created_at=at_day * day_s)

    migrate(database_settings)

    with database.read() as connection:
        found = connection.execute(text("SELECT id, as_if_created_at FROM jobs ORDER BY as_if_created_at, id")).all()
    database.close()
    assert [tuple(row) for row in found] == [
        ("low", 9 * day_s),
        ("normal", 9.5 * day_s),
        ("new", 9.6 * day_s),
        ("high", 10 * day_s),
    ]


def test_migrations_at_once_take_turns(database_settings: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        starts = [
            pool.submit(subprocess.run, [sys.executable, "-m", "jobs.migrate"], env=_environment(database_settings))
            for _ in range(4)
        ]
        statuses = [start.result().returncode for start in starts]

    assert statuses == [0, 0, 0, 0]
    open_store(database_settings).close()


def test_only_an_embedded_database_is_migrated_by_itself(database_settings: Settings) -> None:
    migrate_embedded(database_settings)

    database = Database(database_settings.database_url)
    with database.read() as connection:
        made = inspect(connection).has_table("jobs")
    database.close()
    assert made is database_settings.database_url.startswith("sqlite")


def test_a_database_that_is_away_is_said_in_one_line(monkeypatch: Any, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("REGCORE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("REGCORE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")

    status = main()

    assert status == 3
    assert "does not answer" in capsys.readouterr().err


def _insert(connection: Connection, job_id: str, spec: dict[str, Any], **columns: Any) -> None:
    """A row of `jobs` as earlier versions had it."""
    empty = dict.fromkeys(["labels", "progress", "spec", "plan", "usage"], "{}") | {"warnings": "[]"}
    zero = ["priority", "attempt", "created_at", "updated_at", "last_seq", "num_lost_attempts", "claimable_at"]
    no = dict.fromkeys(["resume_requested", "owes_files", "alone"], False)
    whole = {
        **{"id": job_id, "tenant": "t", "version": 1, "device": "auto", "resolved_spec": json.dumps(spec)},
        **{**empty, **dict.fromkeys([*zero, "publish_at", "num_publishes", "member_bytes"], 0), **no, **columns},
    }
    values = ", ".join(f":{name}" for name in whole)
    connection.execute(text(f"INSERT INTO jobs ({', '.join(whole)}) VALUES ({values})"), whole)


def _environment(settings: Settings) -> dict[str, str]:
    root = Path(str(files("jobs"))).parent
    return {
        "PYTHONPATH": str(root),
        "REGCORE_DATA_DIR": str(settings.data_dir),
        "REGCORE_DATABASE_URL": settings.database_url,
    }
