"""The files of a folder on this machine."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from regcore.data.files.entry import Entry
from regcore.data.files.limits import FileLimits, too_many
from regcore.data.files.names import is_of_system
from regcore.errors import InvalidDataError, shortened


def files_of_folder(folder: Path, limits: FileLimits) -> list[Entry]:
    """Every file below a folder, sorted by path; what systems leave is left out.

    Raises:
        InvalidDataError: There is a link, or what is neither file nor folder; a name is no text; or there are too many.
    """
    entries: list[Entry] = []
    for path in _walk(folder):
        if len(entries) == limits.max_files:
            raise too_many(f"more than {limits.max_files:,}", limits)
        inside = path.relative_to(folder).as_posix()
        try:
            inside.encode()
        except UnicodeEncodeError:
            raise InvalidDataError(
                f"The name of {inside!a} is not UTF-8.", remedy="Rename the file, and its folders if need be."
            ) from None
        entries.append(Entry(inside, path.stat().st_size, partial(_read, path, inside)))
    return sorted(entries, key=lambda entry: entry.path)


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        inside = list(found)
    for one in inside:
        if is_of_system(one.name):
            continue
        if one.is_symlink():
            raise InvalidDataError(
                f"{shortened(one.path, 300)} is a link.", remedy="Put the file itself there: a link may lead anywhere."
            )
        if one.is_dir():
            yield from _walk(Path(one.path))
        elif one.is_file():
            yield Path(one.path)
        else:
            raise InvalidDataError(
                f"{shortened(one.path, 300)} is neither a file nor a folder.", remedy="Leave it out of the folder."
            )


def _read(path: Path, inside: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidDataError(
            f"{inside} cannot be read: {error.strerror}.", remedy="Make it readable, or leave it out."
        ) from None
