"""Stateless randomness: each stream is seeded from a hash of its purpose.

A resumed run, another grouping of members or another order of layers draws the same numbers, because no generator has a
state to carry over.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator


def stream_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose, e.g. `stream_seed(0, "order", epoch)`."""
    words = "\x1f".join(str(word) for word in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: str | int, device: str = "cpu") -> Generator:
    """A torch generator at the start of one stream."""
    import torch

    return torch.Generator(device).manual_seed(stream_seed(seed, *purpose))
