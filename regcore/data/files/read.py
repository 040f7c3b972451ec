"""From a folder or an archive of images, sounds or texts to a table with a row for each file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa

from regcore.data.files.archive import open_archive
from regcore.data.files.entry import Entry, MediaColumn
from regcore.data.files.folder import files_of_folder
from regcore.data.files.idx import parts_of, read_parts
from regcore.data.files.kinds import Media, media_of
from regcore.data.files.limits import FileLimits
from regcore.data.files.names import FILE, LABEL, SPLIT, Place, places_of
from regcore.data.tables.facts import ColumnFacts, ColumnType
from regcore.data.tables.find_types import find_facts
from regcore.data.tables.media_column import with_media
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError

OnProgress = Callable[[float], None]
ReadMedia = Callable[[Sequence[Entry], OnProgress], MediaColumn]

_DEFAULT_LIMITS: Final = FileLimits()


def read_folder(
    folder: Path, on_progress: OnProgress, limits: FileLimits = _DEFAULT_LIMITS, *, has_classes: bool = True
) -> Table:
    """Read a folder with a folder for each class, or of IDX files.

    Args:
        folder: Where it lies.
        on_progress: Told the share that was read.
        limits: The most that it may hold.
        has_classes: Whether folders are classes; False for files of which a model is asked, which may lie anywhere.

    Raises:
        InvalidDataError: It is no set of images, sounds or texts, or a file is damaged; the file is named.
    """
    return _table(files_of_folder(folder, limits), "folder", on_progress, has_classes=has_classes)


def read_archive(
    path: Path, on_progress: OnProgress, limits: FileLimits = _DEFAULT_LIMITS, *, has_classes: bool = True
) -> Table:
    """Read a ZIP archive of such a folder.

    Raises:
        InvalidDataError: As `read_folder`, or the archive is damaged or unsafe.
    """
    with open_archive(path, limits) as entries:
        return _table(entries, "zip", on_progress, has_classes=has_classes)


def _table(
    entries: Sequence[Entry], format: Literal["folder", "zip"], on_progress: OnProgress, *, has_classes: bool
) -> Table:
    parts = parts_of(entries)
    if parts:
        return read_parts(parts, has_labels=has_classes)
    media, kept, warnings = media_of(entries)
    empty = next((entry for entry in kept if not entry.size_bytes and media != "text"), None)
    if empty is not None:
        raise InvalidDataError(
            f"{empty.path} is empty: it has no byte.", remedy="Leave it out.", details={"file": empty.path}
        )
    places = places_of([entry.path for entry in kept]) if has_classes else [Place(None, None)] * len(kept)
    read = _reader(media)(kept, on_progress)
    names = _named(kept, places)
    said = find_facts(names, format=format, default_target=LABEL if LABEL in names.column_names else None)
    settled = said.model_copy(update={"columns": [*map(_settled, said.columns)], "warnings": warnings})
    return with_media(names, settled, media, read, examples=[entry.path for entry in kept])


def _named(entries: Sequence[Entry], places: Sequence[Place]) -> pa.Table:
    columns = {FILE: pa.array([entry.path for entry in entries], pa.string())}
    if places[0].label is not None:
        columns[LABEL] = pa.array([place.label for place in places], pa.string())
    if places[0].split is not None:
        columns[SPLIT] = pa.array([place.split for place in places], pa.string())
    return pa.table(columns)


def _settled(column: ColumnFacts) -> ColumnFacts:
    """Folders are classes, also where they are called 0 to 99; files' names are nothing to learn from."""
    types: dict[str, ColumnType] = {FILE: "ignore", LABEL: "category", SPLIT: "category"}
    return column.model_copy(update={"type": types[column.name], "why": ""})


def _reader(media: Media) -> ReadMedia:
    """What reads files of this kind; imported where it is needed, as each needs a library of its own."""
    if media == "image":
        from regcore.data.images.read import read_images

        return read_images
    if media == "audio":
        from regcore.data.sounds.read import read_sounds

        return read_sounds
    from regcore.data.texts.read import read_texts

    return read_texts
