"""Identifiers: a prefix for the kind, and a ULID, so that ids sort by creation time."""

import secrets
import threading
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_NUM_RANDOM_BITS = 80
_NUM_CHARACTERS = 26

_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """Return ``{prefix}_`` and 26 characters that sort by time, strictly so within one process."""
    return f"{prefix}_{_encode(_next_value())}"


def _next_value() -> int:
    """48 bits of milliseconds and 80 random bits; one more than the last id if the clock has not advanced."""
    global _last
    fresh = (time.time_ns() // 1_000_000) << _NUM_RANDOM_BITS | secrets.randbits(_NUM_RANDOM_BITS)
    with _lock:
        same_or_earlier_ms = fresh >> _NUM_RANDOM_BITS <= _last >> _NUM_RANDOM_BITS
        _last = _last + 1 if same_or_earlier_ms else fresh
        return _last


def _encode(value: int) -> str:
    return "".join(_ALPHABET[value >> shift & 31] for shift in range(5 * (_NUM_CHARACTERS - 1), -1, -5))
