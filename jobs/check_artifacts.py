"""Check every artifact against its hash, ``python -m jobs.check_artifacts``, to find damage before a user does.

It writes one JSON object to stdout, ``{num_checked, damaged: [{job_id, name, how}]}``, and changes nothing.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing

from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.errors import ArtifactDamagedError
from jobs.model import ArtifactRow, Json
from jobs.settings import Settings
from jobs.startup import CANNOT_START, begin, reason_of
from jobs.store.connect import check_schema
from jobs.store.reading import read_all_artifacts, read_artifact
from jobs.urls import sqlite_path

_READ_AT_ONCE = 500


def check_artifacts(settings: Settings) -> Json:
    """Hash every file that some job has, each once, and return those that are not as they were stored.

    Raises:
        UnmigratedDatabaseError: The tables are not those of this version.
        StoreUnavailableError: The database does not answer.
    """
    store = ArtifactStore(settings.artifacts_dir)
    known: dict[tuple[str, int], str | None] = {}
    num_checked, damaged = 0, []
    with closing(Database(settings.database_url)) as database:
        check_schema(database)
        for job_id, artifact in _all_artifacts(database):
            file = (artifact.sha256, artifact.size_bytes)
            if file not in known:
                known[file] = _damage(store, artifact)
            how = known[file]
            num_checked += 1
            if how is not None and _is_there(database, job_id, artifact.name):
                damaged.append({"job_id": job_id, "name": artifact.name, "how": how})
    return {"num_checked": num_checked, "damaged": damaged}


def _all_artifacts(database: Database) -> Iterator[tuple[str, ArtifactRow]]:
    after = ("", "")
    while True:
        with database.read() as connection:
            page = read_all_artifacts(connection, after, _READ_AT_ONCE)
        yield from page
        if len(page) < _READ_AT_ONCE:
            return
        after = (page[-1][0], page[-1][1].name)


def _damage(store: ArtifactStore, artifact: ArtifactRow) -> str | None:
    try:
        store.verify(artifact)
    except ArtifactDamagedError as error:
        return error.how
    return None


def _is_there(database: Database, job_id: str, name: str) -> bool:
    """Whether the job still has the artifact: a job that was deleted meanwhile is not damaged."""
    with database.read() as connection:
        return read_artifact(connection, job_id, name) is not None


def main() -> int:
    """Check the store that the settings name; return the process's exit status, 0 if the check could be done."""
    settings = begin()
    path = sqlite_path(settings.database_url)
    if path is not None and not os.path.exists(path):  # connecting would create it
        sys.stderr.write(f"There is no database at {path}. Name the data directory with --data-dir.\n")
        return 1
    try:
        sys.stdout.write(json.dumps(check_artifacts(settings)) + "\n")
    except CANNOT_START as error:
        sys.stderr.write(f"{reason_of(error, settings)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
