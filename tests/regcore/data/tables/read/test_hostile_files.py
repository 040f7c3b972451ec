"""Files made to fill memory or disk, each read in a process with a limit on its memory, as a server's parser is."""

import io
import json
import os
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.lib import format as npy

from regcore.data.tables.limits import MIN_BOMB_BYTES

_MEMORY_BYTES = 1_000_000_000
_ATTEMPTS = 3
_READ = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]), int(sys.argv[1])))
from regcore.data.tables.read import read_file
from regcore.errors import TrainingError
for path in map(Path, sys.argv[2:]):
    try:
        said = ["read", len(read_file(path).columns)]
    except TrainingError as error:
        said = [error.message, error.remedy]
    # Not ru_maxrss, which begins at what the process that started this one held.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(json.dumps([*said, int(status["VmHWM"].split()[0]) * 1024]), flush=True)
"""


def _gzipped(content: bytes, num_times: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(content) for _ in range(num_times)) + packer.flush()


def _wide_csv() -> bytes:
    return b",".join(b"c%d" % number for number in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n"


def _wide_parquet() -> bytes:
    """A footer with a million columns."""
    root = b"\x48\x06schema" + b"\x15" + _varint(2_000_000) + b"\x00"
    column = b"\x15\x04" + b"\x25\x00" + b"\x18\x01c" + b"\x00"
    return _parquet_of(root + column * 1_000_000, 1_000_001)


def _deep_parquet() -> bytes:
    """Structures in structures, as deep as may be listed."""
    root = b"\x48\x06schema" + b"\x15\x02" + b"\x00"
    inner = b"\x35\x02" + b"\x18\x01s" + b"\x15\x02" + b"\x00"
    leaf = b"\x15\x04" + b"\x25\x00" + b"\x18\x01c" + b"\x00"
    depth = 60_000
    return _parquet_of(root + inner * depth + leaf, depth + 2)


def _parquet_of(elements: bytes, num_elements: int) -> bytes:
    """A file without rows whose schema is this list."""
    footer = b"\x15\x04\x19\xfc" + _varint(num_elements) + elements + b"\x16\x00\x19\x0c\x00"
    return b"PAR1\x15" + footer + struct.pack("<I", len(footer)) + b"PAR1"


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _many_rows_parquet() -> bytes:
    sink = io.BytesIO()
    gaps = pa.nulls(1_000_000, pa.float64())
    pq.write_table(pa.table({f"c{number}": gaps for number in range(100)}), sink)
    return sink.getvalue()


def _repeating_parquet() -> bytes:
    sink = io.BytesIO()
    cells = pa.DictionaryArray.from_arrays(np.zeros(1_000_000, np.int32), pa.array(["x" * 900_000]))
    pq.write_table(pa.table({"a": cells}), sink)
    return sink.getvalue()


def _zip_bomb() -> bytes:
    sink = io.BytesIO()
    shape = (2 * MIN_BOMB_BYTES // 8,)
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as entry:
        entry.write(npy.magic(1, 0) + struct.pack("<H", len(header)) + header)
        for _ in range(200):
            entry.write(bytes(MIN_BOMB_BYTES // 100))
    return sink.getvalue()


def _linking_zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        link = zipfile.ZipInfo("x.npy")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return sink.getvalue()


def _large_shape() -> bytes:
    sink = io.BytesIO()
    header = f"{{'descr': '|b1', 'fortran_order': False, 'shape': ({2**40},), }}".encode().ljust(117) + b"\n"
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("x.npy", npy.magic(1, 0) + struct.pack("<H", len(header)) + header)
    return sink.getvalue()


_HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb.csv.gz": (lambda: _gzipped(b"1,2,3\n" * 200_000, 90), "more than 200 times its size"),
    "bomb.npz": (_zip_bomb, "more than 200 times its size"),
    "deep.json": (lambda: b"[" * 10_000_000, "nested too deeply"),
    "deep.jsonl": (lambda: b'{"a":' * 2_000_000, "nested too deeply"),
    "deep.parquet": (_deep_parquet, "Parquet file that cannot be read"),
    "huge-cell.jsonl.gz": (lambda: _gzipped(b"x" * 1_000_000, 20), "more than 16,000,000 bytes"),
    # How far DuckDB comes with it depends on the memory that is free.
    "huge-cell.csv.gz": (
        lambda: _gzipped(b'a,b\n1,"', 1) + _gzipped(b"x" * 1_000_000, 20),
        "more memory than there is|unterminated quote",
    ),
    "large-shape.npz": (_large_shape, "damaged"),
    "link.npz": (_linking_zip, "not a NumPy array"),
    "many-rows.parquet": (_many_rows_parquet, "more memory than there is"),
    "repeating.parquet": (_repeating_parquet, "unpacks to more than"),
    "wide.csv": (_wide_csv, "100,000 columns"),
    "wide.jsonl": (lambda: json.dumps({f"c{number}": 1 for number in range(100_000)}).encode(), "100,000 columns"),
    "wide.parquet": (_wide_parquet, "more than 65,536 columns"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, tuple[str, str]], int, list[Path]]:
    folder = tmp_path_factory.mktemp("hostile")
    scratch = tmp_path_factory.mktemp("scratch")
    for name, (make, _) in _HOSTILE.items():
        (folder / name).write_bytes(make())
    found: dict[str, tuple[str, str]] = {}
    peaks_bytes = [0]
    for _ in range(_ATTEMPTS):
        # One process reads them all. A library's thread that begins while a file takes all memory may end it: then
        # another goes on with that file, as a worker has it done.
        left = [path for path in sorted(folder.iterdir()) if path.name not in found]
        ran = subprocess.run(
            [sys.executable, "-c", _READ, str(_MEMORY_BYTES), *map(str, left)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TMPDIR": str(scratch), "OPENBLAS_NUM_THREADS": "1"},
        )
        said = [json.loads(line) for line in ran.stdout.splitlines()]
        found |= {path.name: (message, remedy) for path, (message, remedy, _) in zip(left, said, strict=False)}
        peaks_bytes += [peak_bytes for *_, peak_bytes in said]
        if len(said) == len(left):
            break
    assert found.keys() == _HOSTILE.keys(), ran.stderr
    return found, max(peaks_bytes), list(scratch.iterdir())


@pytest.mark.parametrize("name", sorted(_HOSTILE))
def test_a_hostile_file_is_refused_in_words(
    answers: tuple[dict[str, tuple[str, str]], int, list[Path]], name: str
) -> None:
    message, remedy = answers[0][name]

    assert message.startswith(f"{name}: ")
    assert re.search(_HOSTILE[name][1], message)
    assert remedy


def test_hostile_files_leave_nothing_behind(answers: tuple[dict[str, tuple[str, str]], int, list[Path]]) -> None:
    assert answers[2] == []


def test_hostile_files_take_little_memory(answers: tuple[dict[str, tuple[str, str]], int, list[Path]]) -> None:
    assert answers[1] < _MEMORY_BYTES
