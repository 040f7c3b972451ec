"""A folder of images, sounds or texts as one file to send: equal folders give equal bytes."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from regclient.errors import UsageError
from regcore.data.files.folder import files_of_folder
from regcore.data.files.kinds import media_of
from regcore.data.files.limits import FileLimits
from regcore.errors import InvalidDataError

_WHEN = (1980, 1, 1, 0, 0, 0)
"""The time of every file: the first that an archive can say."""


def pack_folder(folder: Path, archive: Path, on_read: Callable[[int], None]) -> None:
    """Write a folder's files into a ZIP archive, sorted and without their times; what systems leave is left out.

    Nothing is compressed: images and sounds are already, and a compressor's next version may give other bytes.

    Args:
        folder: The folder.
        archive: The file to write.
        on_read: Called with numbers of bytes.

    Raises:
        UsageError: It is no set of images, sounds or texts, or holds a link or too many files.
        OSError: A file cannot be read.
    """
    try:
        entries = files_of_folder(folder, FileLimits())
        media_of(entries)  # before anything is sent: it may be a home folder
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
            for entry in entries:
                content = entry.read()
                info = zipfile.ZipInfo(entry.path, _WHEN)
                info.external_attr = (stat.S_IFREG | 0o644) << 16
                packed.writestr(info, content)
                on_read(len(content))
    except InvalidDataError as error:
        raise UsageError(f"{folder}: {error.message} {error.remedy}") from None
