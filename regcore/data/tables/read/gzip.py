"""Gzipped files, unpacked block by block under the limits."""

import gzip
import zlib
from pathlib import Path
from typing import Final

from regcore.data.tables.limits import Limits, check_unpacked
from regcore.errors import InvalidDataError

MAGIC: Final = b"\x1f\x8b"
_BLOCK_BYTES: Final = 1_000_000


def unpack_gzip(packed: Path, unpacked: Path, limits: Limits) -> None:
    """Write what `packed` holds to the new file `unpacked`.

    Raises:
        InvalidDataError: It is cut off, damaged, or unpacks to more than the limits.
    """
    num_packed_bytes = packed.stat().st_size
    num_unpacked_bytes = 0
    try:
        with gzip.open(packed) as source, unpacked.open("xb") as target:
            while block := source.read(_BLOCK_BYTES):
                num_unpacked_bytes += len(block)
                check_unpacked("It", num_packed_bytes, num_unpacked_bytes, limits)
                target.write(block)
    except EOFError:
        raise InvalidDataError(
            f"It is gzipped, and ends too early: {num_unpacked_bytes:,} bytes can be unpacked.",
            remedy="It was cut off on its way: send it again.",
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InvalidDataError(
            f"It is gzipped, and damaged after {num_unpacked_bytes:,} unpacked bytes: {error}.",
            remedy="Pack it again by gzip, or send it without compression.",
        ) from None
