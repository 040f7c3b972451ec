"""Files of ours in a data directory that others may see into, and folders that others may still write to."""

import os
import shutil
from pathlib import Path
from typing import TextIO, cast


def open_private(path: Path, mode: str) -> TextIO:
    """Open a file for writing that only its owner can read, whatever the umask is."""
    file = open(  # noqa: SIM115 - the caller closes it
        path, mode, encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode=0o600)
    )
    os.fchmod(file.fileno(), 0o600)  # one that was there may have been open to others
    return cast(TextIO, file)


def write_whole(path: Path, content: str) -> None:
    """Write a private file in one step: whoever reads it meanwhile finds the old content or the new, never a part."""
    unfinished = path.with_name(f".{path.name}.new")
    with open_private(unfinished, "w") as file:
        file.write(content)
    try:
        unfinished.replace(path)
    except OSError:
        unfinished.unlink()
        raise


def removed(folder: Path) -> bool:
    """Remove a folder with all that is in it; whether it is gone, for others may write to it meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
