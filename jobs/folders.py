"""The folders of the settings: whether they can be used, and whether other users can read our files."""

import os
from pathlib import Path

from jobs.errors import SettingsError
from jobs.setting_errors import setting_error
from jobs.settings import Settings
from jobs.urls import sqlite_path


def check_folders(settings: Settings) -> None:
    """Check that the folders to which a worker writes exist or can be made. Nothing is made.

    Raises:
        SettingsError: Some cannot; there is a line for each.
    """
    folders = {
        "data_dir": settings.data_dir,
        "artifacts_url": settings.artifacts_dir,
        "checkpoints_dir": settings.checkpoints_dir,
    }
    if (database := sqlite_path(settings.database_url)) is not None:
        folders["database_url"] = database.parent
    faults = {name: fault for name, path in folders.items() if (fault := _fault(path))}
    # By default the other folders are inside the data directory and share its fault, which is reported once.
    told = {name: fault for name, fault in faults.items() if name == "data_dir" or fault != faults.get("data_dir")}
    if told:
        wanted = "expected a folder that can be written to"
        raise SettingsError(*(setting_error(name, wanted, fault) for name, fault in told.items()))


def make_private(path: Path) -> None:
    """Remove other users' access to a file of ours; a file that is missing, or not ours, stays as it is."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        path.chmod(0o600)


def _fault(path: Path) -> str | None:
    """Return what is wrong with a folder; None if it can be used."""
    try:
        nearest = next(one for one in (path, *path.parents) if one.is_symlink() or one.exists())
        if not nearest.exists():
            return f"{str(nearest)!r}, a link to nothing"
        if not nearest.is_dir():
            return f"{str(nearest)!r}, which is a file"
    except OSError as error:  # a name that is too long, or a folder that cannot be read
        return f"{str(path)!r:.200} ({error.strerror})"
    return None if os.access(nearest, os.W_OK | os.X_OK) else f"{str(nearest)!r}, where this user may not write"
