"""Identifiers: a prefix that says what it names, and a ULID, so that ids sort by the time of their making."""

import secrets
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_NUM_RANDOM_BITS = 80
_NUM_CHARACTERS = 26

_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """Return ``{prefix}_`` and 26 characters that sort by time, and strictly so within one process."""
    return f"{prefix}_{_encode(_next_value())}"


def _next_value() -> int:
    """48 bits of milliseconds and 80 random ones; one more than the last if the clock stood still."""
    global _last
    fresh = (time.time_ns() // 1_000_000) << _NUM_RANDOM_BITS | secrets.randbits(_NUM_RANDOM_BITS)
    with _lock:
        same_or_earlier_ms = fresh >> _NUM_RANDOM_BITS <= _last >> _NUM_RANDOM_BITS
        _last = _last + 1 if same_or_earlier_ms else fresh
        return _last


def _encode(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(5 * (_NUM_CHARACTERS - 1), -1, -5))
