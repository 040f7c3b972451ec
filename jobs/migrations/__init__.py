"""Alembic's migrations, run by `jobs.migrate`. One file per revision; a revision that was released never changes."""
