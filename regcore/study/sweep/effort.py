"""How much a suggested sweep tries: the steps by which it shrinks until it fits a budget."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class Effort:
    """How much a sweep tries.

    Attributes:
        num_seeds: Seeds, each with splits of its own.
        num_values: The most values of each regularizer.
        num_steps: Optimizer steps of a run, about.
        num_left_out: How many of `LEFT_OUT` are not compared.
    """

    num_seeds: int
    num_values: int
    num_steps: int
    num_left_out: int = 0


LEFT_OUT: Final = ("weight_decay", "l1")
"""What is left out first: `weight_decay` is nearly `l2`, and `l1` the slower one of the two penalties."""
LADDER: Final = (
    *(Effort(10, num_values, 4000) for num_values in (5, 4, 3)),
    Effort(10, 3, 2000),
    *(Effort(num_seeds, 3, 2000) for num_seeds in (8, 6, 5)),
    *(Effort(5, 3, num_steps) for num_steps in (1000, 500)),
    *(Effort(5, 3, 500, num_left_out) for num_left_out in (1, 2)),
    *(Effort(num_seeds, 3, 500, 2) for num_seeds in (4, 3)),
    *(Effort(3, 2, num_steps, 2) for num_steps in (500, 250, 100)),
)
"""From the most to the least. The first that fits a budget is taken: so first there are fewer values of each
regularizer and shorter runs, then fewer seeds, down to five; then still shorter runs, fewer regularizers, and last
fewer than five seeds, which show only large effects."""


def with_seeds(num_seeds: int) -> list[Effort]:
    """The ladder for a fixed number of seeds."""
    return list(dict.fromkeys(replace(effort, num_seeds=num_seeds) for effort in LADDER))
