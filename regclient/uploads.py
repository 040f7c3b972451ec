"""Files on the way to the server: what is sent as which media type, and never as anything but what was looked at.

A frame or arrays become a temporary file first, so that the same rows always are the same bytes.
"""

import hashlib
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from regclient.errors import FileChangedError, UsageError
from regclient.packed_folders import pack_folder

CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
JSON_LINES = "application/x-ndjson"
ZIP = "application/zip"
ANY = "application/octet-stream"
"""The server looks at the content. NPZ has no media type of its own."""

CHUNK_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_OLD_EXCEL_MAGIC = b"\xd0\xcf\x11\xe0"
_PARQUET_MAGICS = (b"PAR1\x15", b"PARE")  # a CSV file may begin with a column named PAR1
_START_BYTES = 5
_MEDIA_TYPES = {
    ".csv": CSV,
    ".tsv": CSV,
    ".tab": CSV,
    ".parquet": PARQUET,
    ".pq": PARQUET,
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
    ".json": JSON_LINES,
    ".zip": ZIP,
}
_FORMATS = {CSV: "csv", PARQUET: "parquet", JSON_LINES: "jsonl", ZIP: "auto", ANY: "auto"}

OnBytes = Callable[[int], None]
"""Called with the number of bytes that were read or sent since the last call."""


@dataclass(frozen=True)
class Upload:
    """A file that is ready to be sent.

    Attributes:
        name: What people call it; None for rows from memory.
        size_bytes: Its size when `sha256` was computed.
    """

    path: Path
    name: str | None
    media_type: str
    size_bytes: int
    sha256: str

    @property
    def format(self) -> str:
        """What the server calls it; equal bytes that are sent as another format are another data set."""
        return _FORMATS[self.media_type]

    def body(self, on_sent: OnBytes) -> Iterator[bytes]:
        """Yield the file's content in pieces. The last one is held back until the whole was found unchanged.

        Raises:
            FileChangedError: The content is not the one that was hashed. The request then ends without its last piece.
            OSError: The file cannot be read.
        """
        digest, held, num_read = hashlib.sha256(), b"", 0
        with self.path.open("rb") as file:
            for piece in _pieces(file):
                num_read += len(piece)
                if num_read > self.size_bytes:
                    raise FileChangedError(self.path)
                if held:
                    yield held
                    on_sent(len(held))
                digest.update(piece)
                held = piece
        if digest.hexdigest() != self.sha256:
            raise FileChangedError(self.path)
        yield held
        on_sent(len(held))


@contextmanager
def ready_to_send(source: Any, y: Any, on_read: OnBytes) -> Iterator[Upload]:
    """Yield a path, a data frame or arrays as a file to send; a temporary one is removed afterwards.

    Args:
        source: The path of a file or of a folder of files, `-` for stdin, a frame of pandas, polars or Arrow, or
            NumPy's array of features.
        y: The array of targets, if `source` is one of features.
        on_read: Called while the file is read for its hash.

    Raises:
        UsageError: There is nothing to send, or it is no table.
        OSError: The file cannot be read.
    """
    with _temporary_folder() as folder:
        if isinstance(source, str | os.PathLike):
            if y is not None:
                raise UsageError("y: a file holds its own target; name its column in the spec's data.target.")
            path, name = _file_of(source, folder, on_read)
        else:
            path, name = _written(source, y, folder), None
        sha256, size_bytes = _hashed(path, on_read)
        yield Upload(path, name, media_type_of(path, name), size_bytes, sha256)


@contextmanager
def regular_file(source: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the path of a file that can be read twice: the given one, or a copy of a pipe or, for `-`, of stdin.

    Raises:
        UsageError: It is no path, or a folder that holds no files.
        OSError: It cannot be read.
    """
    with _temporary_folder() as folder:
        yield _file_of(source, folder, lambda num_bytes: None)[0]


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="regcore-") as folder:
        yield Path(folder)


def media_type_of(path: Path, name: str | None = None) -> str:
    """Return the media type of a file: by its first bytes where they tell, else by its name.

    Args:
        path: The file.
        name: Its name, if `path` is a copy.

    Raises:
        UsageError: It is an Excel workbook.
    """
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    suffixes = [suffix.lower() for suffix in Path(name or path.name).suffixes]
    if start.startswith(_GZIP_MAGIC) and suffixes[-1:] == [".gz"]:
        suffixes.pop()
    if start.startswith(_PARQUET_MAGICS):
        return PARQUET
    if start.startswith(_OLD_EXCEL_MAGIC):
        raise _no_workbook(path)
    if start.startswith(_ZIP_MAGIC):
        return _kind_of_zip(path)
    return _MEDIA_TYPES.get(suffixes[-1], ANY) if suffixes else ANY


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except zipfile.BadZipFile:  # the server says what is wrong with it
        return ANY
    if "xl/workbook.xml" in members:
        raise _no_workbook(path)
    is_npz = bool(members) and all(member.endswith(".npy") for member in members)
    return ANY if is_npz else ZIP


def _no_workbook(path: Path) -> UsageError:
    return UsageError(f"{path} is an Excel workbook. Save the sheet as CSV, and send that.")


def _file_of(source: str | os.PathLike[str], folder: Path, on_read: OnBytes) -> tuple[Path, str | None]:
    """Return the path of a regular file with this content, and its name.

    Pipes and stdin are copied into `folder`, and a folder of files is packed there.
    """
    if source == "-":
        return _copied(sys.stdin.buffer, folder), None
    path = Path(source).expanduser()
    try:
        mode = path.stat().st_mode
    except ValueError:  # the name holds a NUL
        raise UsageError(f"expected the path of a file, received {str(source)!r}.") from None
    if stat.S_ISDIR(mode):
        archive = folder / "folder.zip"
        pack_folder(path, archive, on_read)
        return archive, path.resolve().name
    if not stat.S_ISREG(mode):
        with path.open("rb") as pipe:
            return _copied(pipe, folder), None
    return path, path.name


def _copied(pipe: BinaryIO, folder: Path) -> Path:
    path = folder / "rows"
    with path.open("wb") as file:
        shutil.copyfileobj(pipe, file, CHUNK_BYTES)
    return path


def _written(source: Any, y: Any, folder: Path) -> Path:
    """Write rows from memory into a file: a frame as Parquet, arrays as NPZ.

    Raises:
        UsageError: They are neither, or a column has no form in Parquet.
    """
    library = type(source).__module__.partition(".")[0]
    if library in ("pandas", "polars", "pyarrow"):
        if y is not None:
            raise UsageError("y: a frame holds its target as a column; name it in the spec's data.target.")
        return _write_frame(source, library, folder / "frame.parquet")
    if hasattr(source, "__array__"):
        return _write_arrays(source, y, folder / "arrays.npz")
    raise UsageError(
        "expected the path of a file, a data frame of pandas, polars or Arrow, or NumPy arrays (x, y); received "
        f"{type(source).__name__}."
    )


def _write_frame(frame: Any, library: str, path: Path) -> Path:
    try:
        if library == "polars":
            (frame.collect() if hasattr(frame, "collect") else frame).write_parquet(path)
        elif library == "pandas":
            frame.to_parquet(path, index=False)
        else:
            from pyarrow import parquet

            parquet.write_table(frame, path)
    except (
        ImportError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:  # Arrow's own errors are ValueErrors and TypeErrors
        raise UsageError(f"this {type(frame).__name__} of {library} cannot be written as Parquet: {error}") from error
    return path


def _write_arrays(x: Any, y: Any, path: Path) -> Path:
    import numpy as np

    arrays = {"x": np.asarray(x)} | ({} if y is None else {"y": np.asarray(y)})
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise UsageError(f"{name}: expected an array of numbers, booleans or strings, received one of objects.")
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return path


def _hashed(path: Path, on_read: OnBytes) -> tuple[str, int]:
    digest, size_bytes = hashlib.sha256(), 0
    with path.open("rb") as file:
        for piece in _pieces(file):
            digest.update(piece)
            size_bytes += len(piece)
            on_read(len(piece))
    return digest.hexdigest(), size_bytes


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(CHUNK_BYTES):
        yield piece
