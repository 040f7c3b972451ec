"""How the tables of a kernel are laid out: what its arguments hold is described in `blocks`."""

from typing import Final

BLOCK: Final = 2048
"""Numbers in a block: four arrays of it fit a processor's first cache."""

NUM_ADDRESSES: Final = 8
WEIGHT, GRADIENT, MASK, ROOT, SLOT = range(5)
NUM_PARTS: Final = 5
PUSH, PULL, KEEP, SHRINK, FLOOR = range(NUM_PARTS)
