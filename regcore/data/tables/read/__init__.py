"""Files of rows, and sets of files: each format read whole, under limits, into one kind of table."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pyarrow as pa

from regcore.data.files.archive import is_set_of_files
from regcore.data.files.idx import read_idx_file
from regcore.data.files.limits import FileLimits
from regcore.data.files.read import read_archive, read_folder
from regcore.data.tables.limits import Limits
from regcore.data.tables.read.find_format import FileFormat, find_format, said_format
from regcore.data.tables.read.gzip import MAGIC, unpack_gzip
from regcore.data.tables.read.jsonl import read_jsonl
from regcore.data.tables.read.npz import read_npz
from regcore.data.tables.read.parquet import read_parquet
from regcore.data.tables.table import Table
from regcore.errors import InvalidDataError, OutOfMemoryError

Header = Literal["auto", "yes", "no"]
OnProgress = Callable[[float], None]

_DEFAULT_LIMITS = Limits()


def read_file(
    path: Path,
    *,
    format: str | None = None,
    header: Header = "auto",
    limits: Limits = _DEFAULT_LIMITS,
    on_progress: OnProgress | None = None,
    name: str | None = None,
    has_classes: bool = True,
) -> Table:
    """Read a CSV, Parquet, JSONL or NPZ file, gzipped or not, or images, sounds or texts in a folder or ZIP archive.

    Args:
        path: Where it lies.
        format: A word (`csv parquet jsonl npz`) or a media type; by default its content and its name decide.
        header: Whether the first line of a CSV file names the columns.
        limits: The most that it may hold.
        on_progress: Told the share of the file that was read, from 0 to 1.
        name: What messages call the file; by default the path's last part.
        has_classes: Whether the folders of a set of files are its classes; False for rows of which a model is asked.

    Raises:
        InvalidDataError: It cannot be read. The message begins with the file's name.
        OutOfMemoryError: It takes more memory than there is.
        ValueError: `format` is no known word.
    """
    said = said_format(format)
    name = name or path.name
    if not path.is_dir():
        _check_is_there(path)
    try:
        if path.is_dir():
            return read_folder(path, on_progress or _ignore, has_classes=has_classes)
        with TemporaryDirectory(prefix="regcore-") as folder:
            plain = _unpacked(path, Path(folder), limits)
            found = find_format(plain, name, said)
            if found == "npz" and is_set_of_files(plain, FileLimits()):
                return read_archive(plain, on_progress or _ignore, has_classes=has_classes)
            return _read(plain, found, header, limits, on_progress or _ignore)
    except (MemoryError, pa.ArrowMemoryError):
        raise OutOfMemoryError(
            f"{name}: It takes more memory than there is for reading it.",
            remedy="Take a sample of the rows, or leave out columns that are not needed.",
            details={"size_bytes": path.stat().st_size},
        ) from None
    except InvalidDataError as error:
        raise InvalidDataError(f"{name}: {error.message}", remedy=error.remedy, details=error.details) from None


def _check_is_there(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise InvalidDataError(
            f"{path} cannot be opened: {error.strerror}.", remedy="Give the path of a file that this user may read."
        ) from None


def _unpacked(path: Path, folder: Path, limits: Limits) -> Path:
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            return path
    unpacked = folder / "unpacked"
    unpack_gzip(path, unpacked, limits)
    return unpacked


def _read(path: Path, format: FileFormat, header: Header, limits: Limits, on_progress: OnProgress) -> Table:
    match format:
        case "csv":
            from regcore.data.tables.read.csv import read_csv  # loads DuckDB, which the others do without

            return read_csv(path, header=header, limits=limits, on_progress=on_progress)
        case "parquet":
            return read_parquet(path, limits, on_progress).table("parquet", limits)
        case "jsonl":
            return read_jsonl(path, limits, on_progress).table("jsonl", limits)
        case "npz":
            return read_npz(path, limits, on_progress).table("npz", limits)
        case "idx":
            return read_idx_file(path)


def _ignore(share: float) -> None:
    """Progress that nobody asked for."""
