"""Whether a WAV file is all there: a decoder plays what there is of it, and tells nobody that the rest is missing."""

import struct
from typing import Final

from regcore.errors import InvalidDataError

_HEAD_BYTES: Final = 12
_CHUNK_BYTES: Final = 8
_UNKNOWN: Final = 0x7FFFF000
"""From this size on it stands for one that was not known when the file was begun, as of sound that is piped."""


def check_whole(content: bytes, path: str) -> None:
    """Refuse a WAV file that ends before its samples do; other formats tell by themselves.

    Raises:
        InvalidDataError: It was cut off; the file is named.
    """
    if content[:4] != b"RIFF":
        return
    place = _HEAD_BYTES
    while place + _CHUNK_BYTES <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        place += _CHUNK_BYTES
        lacking = place + size - len(content)
        if name == b"data":
            if lacking > 0 and size < _UNKNOWN:
                raise InvalidDataError(
                    f"{path} is cut off: {lacking:,} of the {size:,} bytes of its samples are missing.",
                    remedy="Save or copy it again, or leave it out.",
                    details={"file": path},
                )
            return
        place += size + size % 2  # chunks begin at even places
