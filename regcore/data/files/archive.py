"""The files of a ZIP archive, read in place: nothing is unpacked to disk, and no name in it becomes a path."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Final

from regcore.data.files.entry import Entry
from regcore.data.files.limits import MIN_BOMB_BYTES, FileLimits, too_many
from regcore.data.files.names import check_path, is_of_system
from regcore.errors import InvalidDataError, shortened

_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_MAX_COMMENT_BYTES: Final = 65_535
_END64: Final = b"PK\x06\x06"
_END64_BYTES: Final = 56
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_BYTES: Final = 20
_IN_END64: Final = 0xFFFF
_UTF8: Final = 0x800
_ENCRYPTED: Final = 0x1
_MOST_BYTES_OF_DIRECTORY: Final = 400
"""More than the archive's directory takes for a file whose name has a usual length."""
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, OSError, ValueError)
"""What Python's reader raises of a damaged archive. It has no common base: an unknown method is NotImplementedError, a
place outside of the file OSError or ValueError."""
_SEND_AGAIN: Final = "It may have been cut off on its way: send it again, or pack it again."


@contextmanager
def open_archive(path: Path, limits: FileLimits) -> Iterator[list[Entry]]:
    """The files of an archive, sorted by path, as long as it is open; what systems leave is left out.

    Raises:
        InvalidDataError: It is damaged, has too many files, or one that is encrypted, a link, unsafe or too large.
    """
    with path.open("rb") as file:
        _check_number(file, limits)
        try:
            archive = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise _cannot_be_unpacked(error) from None
        with archive:
            yield _entries(archive, limits)


def is_set_of_files(path: Path, limits: FileLimits) -> bool:
    """Whether an archive is neither one of NumPy's nor an Excel workbook, which other readers know better.

    Raises:
        InvalidDataError: It has too many files.
    """
    try:
        with path.open("rb") as file:
            _check_number(file, limits)
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
    except _DAMAGED:
        return False
    return not any(name.endswith(".npy") or name.startswith("xl/") for name in names)


def _entries(archive: zipfile.ZipFile, limits: FileLimits) -> list[Entry]:
    reader = _Reader(archive)
    entries: dict[str, Entry] = {}
    total_bytes = 0
    infos = archive.infolist()
    if len(infos) > limits.max_files:
        raise too_many(f"{len(infos):,}", limits)
    for info in infos:
        path = _path_of(info)
        check_path(path)
        if info.is_dir() or is_of_system(path):
            continue
        _check(info, path, limits)
        total_bytes += info.file_size
        if path in entries:
            raise InvalidDataError(f"It holds two files called {path!r}.", remedy="Pack the folder again.")
        entries[path] = Entry(path, info.file_size, partial(reader.read, info, path))
    if total_bytes > limits.max_total_bytes:
        raise InvalidDataError(
            f"It unpacks to {total_bytes:,} bytes, and may unpack to {limits.max_total_bytes:,}.",
            remedy="Take a sample of the files, or make them smaller.",
            details={"unpacked_bytes": total_bytes, "max_total_bytes": limits.max_total_bytes},
        )
    return sorted(entries.values(), key=lambda entry: entry.path)


class _Reader:
    """Reads one file after the other: an archive has one position."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._lock = Lock()

    def read(self, info: zipfile.ZipInfo, path: str) -> bytes:
        try:
            with self._lock, self._archive.open(info) as stream:
                content = stream.read(info.file_size + 1)
        except _DAMAGED as error:
            raise InvalidDataError(f"{path} in it is damaged: {error}.", remedy=_SEND_AGAIN) from None
        if len(content) != info.file_size:
            raise InvalidDataError(f"{path} in it has another size than the archive says.", remedy=_SEND_AGAIN)
        return content


def _path_of(info: zipfile.ZipInfo) -> str:
    """The name as its writer meant it: archives of a Mac hold UTF-8 and do not say so."""
    if info.flag_bits & _UTF8:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode()
    except UnicodeError:
        return info.orig_filename


def _check(info: zipfile.ZipInfo, path: str, limits: FileLimits) -> None:
    if stat.S_ISLNK(info.external_attr >> 16):
        raise InvalidDataError(
            f"{path} in it is a link.", remedy="Pack the file itself: a link may lead anywhere. zip does without -y."
        )
    if info.flag_bits & _ENCRYPTED:
        raise InvalidDataError(f"{path} in it is encrypted.", remedy="Pack it without a password.")
    if info.file_size > limits.max_file_bytes:
        raise InvalidDataError(
            f"{path} in it has {info.file_size:,} bytes, and a file may have {limits.max_file_bytes:,}.",
            remedy="Make it smaller, or leave it out.",
            details={"file": path, "size_bytes": info.file_size, "max_file_bytes": limits.max_file_bytes},
        )
    if info.file_size > max(MIN_BOMB_BYTES, limits.max_ratio * info.compress_size):
        raise InvalidDataError(
            f"{path} in it unpacks to more than {limits.max_ratio} times its size, which real files do not: "
            f"{info.compress_size:,} bytes become {info.file_size:,}.",
            remedy="If it is a real file, pack it without compression.",
            details={"file": path, "packed_bytes": info.compress_size, "unpacked_bytes": info.file_size},
        )


def _check_number(file: BinaryIO, limits: FileLimits) -> None:
    """Refuse too many files before Python's reader makes an object of each.

    An archive may say a smaller number than it holds; then the size of its directory tells.
    """
    size = file.seek(0, 2)
    start = max(0, size - _END_BYTES - _MAX_COMMENT_BYTES)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise _cannot_be_unpacked("its end is missing")
    number, directory_bytes = struct.unpack("<HL", tail[place + 10 : place + 16])
    if number == _IN_END64:
        number, directory_bytes = _in_end64(file, start + place) or (number, directory_bytes)
    if number > limits.max_files or directory_bytes > limits.max_files * _MOST_BYTES_OF_DIRECTORY:
        raise too_many(f"{number:,}", limits)
    file.seek(0)


def _in_end64(file: BinaryIO, end: int) -> tuple[int, int] | None:
    """Number of files and bytes of the directory, in the record that large archives have."""
    if end < _LOCATOR_BYTES + _END64_BYTES:
        return None
    file.seek(end - _LOCATOR_BYTES - _END64_BYTES)
    record = file.read(_END64_BYTES + _LOCATOR_BYTES)
    if not record.startswith(_END64) or not record[_END64_BYTES:].startswith(_LOCATOR):
        return None
    number, directory_bytes = struct.unpack("<QQ", record[32:48])
    return number, directory_bytes


def _cannot_be_unpacked(why: object) -> InvalidDataError:
    said = shortened(str(why) or "it ends too early", 200)
    return InvalidDataError(f"It is a ZIP archive that cannot be unpacked: {said}.", remedy=_SEND_AGAIN)
