import ctypes
import weakref

import psutil
import pytest

from worker.run.memory import give_memory_back, peak_memory_bytes, reset_peak_memory

CHUNK_BYTES = 64 << 10
NUM_CHUNKS = 2_000


class Ring:
    """What only the garbage collector frees."""

    def __init__(self):
        self.itself = self


def resident_bytes():
    return psutil.Process().memory_info().rss


@pytest.fixture
def libc():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.free.argtypes = [ctypes.c_void_p]
    return libc


def test_free_memory_below_what_is_in_use_is_given_back(libc):
    chunks = [libc.malloc(CHUNK_BYTES) for _ in range(NUM_CHUNKS)]
    for chunk in chunks:
        ctypes.memset(chunk, 1, CHUNK_BYTES)
    *free, last = chunks
    for chunk in free:
        libc.free(chunk)
    kept = resident_bytes()

    give_memory_back()

    given_back = kept - resident_bytes()
    libc.free(last)
    assert given_back > NUM_CHUNKS * CHUNK_BYTES / 2


def test_without_glibc_what_nothing_refers_to_is_freed_all_the_same(monkeypatch):
    monkeypatch.setattr("worker.run.memory.ctypes.CDLL", lambda name: object())
    ring = Ring()
    left = weakref.ref(ring)
    del ring

    give_memory_back()

    assert left() is None


def test_a_peak_is_forgotten_when_it_is_reset():
    ballast = bytearray(200 << 20)
    with_ballast = peak_memory_bytes()
    del ballast

    reset_peak_memory()

    assert peak_memory_bytes() < with_ballast - (100 << 20)


def test_a_system_that_reports_no_peak_says_zero(monkeypatch, tmp_path):
    status = tmp_path / "status"
    status.write_text("Name: regcore-runner\nVmRSS: 10 kB\n")
    monkeypatch.setattr("worker.run.memory._STATUS_PATH", status)

    assert peak_memory_bytes() == 0
