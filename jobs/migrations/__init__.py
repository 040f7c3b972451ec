"""Alembic's migrations, run by `jobs.migrate`. One file per revision; one that was released never changes."""
