"""Permutations without a table: the row at any place of an epoch's order, from a seed and the place alone.

A table of a billion row numbers takes 8 GB. It must not be kept for each member of a pass, nor made again on resume.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from regcore.streams import stream_seed

WINDOW_BLOCKS: Final = 128
"""Blocks whose rows are shuffled together."""
_NUM_ROUNDS: Final = 12
"""Moves of a digit. With 8, numbers below 30 came at some places noticeably more often than at others."""

Places = NDArray[np.int64]


def scattered(places: Places, size: int, seed: int) -> Places:
    """A pseudorandom permutation of 0 … size − 1, at these places.

    A Feistel network on the digits (left, right) of a place in a grid of a · b ≥ size numbers, a ≈ b ≈ √size. In turn
    each digit is moved by a hash of the other, which can be undone, so that the grid is permuted. What falls outside
    `size` goes through again until it is inside; that is less than one in b.

    Args:
        places: From 0 to size − 1.
        size: How many there are.
        seed: Of this permutation.

    Source: Black & Rogaway 2002, Ciphers with Arbitrary Finite Domains, §4 and §5.
    """
    if size < 2:
        return places.copy()
    num_left = math.isqrt(size - 1) + 1
    a, b = np.uint64(num_left), np.uint64(-(-size // num_left))
    keys = [np.uint64(stream_seed(seed, "round", number)) for number in range(_NUM_ROUNDS)]

    def permuted(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = numbers // b, numbers % b
        for key_of_left, key_of_right in zip(keys[::2], keys[1::2], strict=True):
            left = (left + _hashed(right ^ key_of_left)) % a
            right = (right + _hashed(left ^ key_of_right)) % b
        return left * b + right

    found = permuted(places.astype(np.uint64))
    while len(outside := np.flatnonzero(found >= size)):
        found[outside] = permuted(found[outside])
    return found.astype(np.int64)


def blockwise(places: Places, size: int, block_rows: int, seed: int) -> Places:
    """A permutation that stays within few blocks of neighbours at a time, at these places.

    The blocks are shuffled, and then rows within each window of `WINDOW_BLOCKS` blocks. So whoever goes through it
    reads each block about once. On rows sorted by class the share of a class varies from batch to batch about
    1 + (B − 1) / `WINDOW_BLOCKS` times as much as in a full shuffle.

    Args:
        places: From 0 to size − 1.
        size: How many rows there are.
        block_rows: Rows of a block; the last may have fewer.
        seed: Of this permutation.
    """
    width = WINDOW_BLOCKS * block_rows
    windows = places // width
    found = np.empty_like(places)
    for window in np.unique(windows).tolist():
        here, begin = windows == window, window * width
        own_seed = stream_seed(seed, "window", window)
        found[here] = begin + scattered(places[here] - begin, min(width, size - begin), own_seed)
    return _in_blocks(found, size, block_rows, seed)


def _in_blocks(places: Places, size: int, block_rows: int, seed: int) -> Places:
    """The rows at these places where whole blocks are shuffled; the short one, if there is one, comes anywhere."""
    num_full, num_rest = divmod(size, block_rows)
    begin = stream_seed(seed, "short") % (num_full + 1) * block_rows
    is_rest = (places >= begin) & (places < begin + num_rest)
    full = np.where(places < begin, places, places - num_rest)
    full[is_rest] = 0  # any place: what comes of it is not taken
    shuffled = scattered(full // block_rows, num_full, seed) * block_rows + full % block_rows
    return np.where(is_rest, num_full * block_rows + places - begin, shuffled)


def _hashed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The upper bits of the finaliser of splitmix64.

    Source: Steele, Lea & Flood 2014, Fast Splittable Pseudorandom Number Generators.
    """
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))) >> np.uint64(24)
