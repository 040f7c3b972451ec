"""Check every file of jobs and data sets against its hash, to find damage before a user does.

``python -m jobs.check_artifacts`` writes one JSON object to stdout, ``{num_checked, damaged: [{id, name, how}]}`` with
the ids of jobs and data sets, and changes nothing.
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
from jobs.store.datasets import read_all_dataset_files, read_dataset_files
from jobs.store.reading import read_all_artifacts, read_artifact
from jobs.urls import sqlite_path

_READ_AT_ONCE = 500


def check_artifacts(settings: Settings) -> Json:
    """Hash every file that some job or data set has, each once, and return those that are not as they were stored.

    Raises:
        UnmigratedDatabaseError: The tables are not those of this version.
        StoreUnavailableError: The database does not answer.
    """
    store = ArtifactStore(settings.artifacts_dir)
    known: dict[tuple[str, int], str | None] = {}
    num_checked, damaged = 0, []
    with closing(Database(settings.database_url)) as database:
        check_schema(database)
        for owner_id, artifact in _all_files(database):
            file = (artifact.sha256, artifact.size_bytes)
            if file not in known:
                known[file] = _damage(store, artifact)
            how = known[file]
            num_checked += 1
            if how is not None and _is_there(database, owner_id, artifact.name):
                damaged.append({"id": owner_id, "name": artifact.name, "how": how})
    return {"num_checked": num_checked, "damaged": damaged}


def _all_files(database: Database) -> Iterator[tuple[str, ArtifactRow]]:
    for read in (read_all_artifacts, read_all_dataset_files):
        after = ("", "")
        while True:
            with database.read() as connection:
                page = read(connection, after, _READ_AT_ONCE)
            yield from page
            if not page:
                break
            after = (page[-1][0], page[-1][1].name)


def _damage(store: ArtifactStore, artifact: ArtifactRow) -> str | None:
    try:
        store.verify(artifact)
    except ArtifactDamagedError as error:
        return error.how
    return None


def _is_there(database: Database, owner_id: str, name: str) -> bool:
    """Whether it still has the file: what was deleted meanwhile is not damaged."""
    with database.read() as connection:
        found = read_artifact(connection, owner_id, name)
        return found is not None or name in {one.name for one in read_dataset_files(connection, owner_id)}


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
