"""Groups of rows that stay together: which split each of them goes to."""

import math
import random
from collections.abc import Mapping
from typing import Final, Protocol

from regcore.errors import FieldError, SpecError

SPLITS: Final = ("train", "validation", "test")


class GroupSpec(Protocol):
    """The part of a spec's `data` that says how to split."""

    @property
    def test_fraction(self) -> float | None: ...
    @property
    def validation_fraction(self) -> float: ...
    @property
    def split_seed(self) -> int: ...


def assign_groups(sizes: Mapping[str, int], spec: GroupSpec) -> dict[str, str]:
    """The split of each group: the same for the same seed, with shares of rows as near to the fractions as can be.

    Args:
        sizes: Rows of each group.
        spec: Fractions and seed.

    Raises:
        SpecError: There are fewer groups than splits.
    """
    fractions = {"test": spec.test_fraction or 0, "validation": spec.validation_fraction}
    wanted = [name for name, fraction in fractions.items() if fraction > 0]
    if len(sizes) < len(wanted) + 1:
        message = (
            f"data.group_column has {len(sizes)} different value(s), and each of {len(wanted) + 1} splits needs a "
            "group of its own. Name another column, or set test_fraction or validation_fraction to 0."
        )
        raise SpecError([FieldError("/data/group_column", "too_few_groups", message)])
    rest = sorted(sizes)
    random.Random(spec.split_seed).shuffle(rest)  # noqa: S311 # a seeded split, no secret
    assigned: dict[str, str] = {}
    for place, name in enumerate(wanted):
        goal = math.ceil(sum(sizes[group] for group in rest) * fractions[name])
        taken = _take(rest, sizes, goal, most=len(rest) - (len(wanted) - place))
        assigned |= dict.fromkeys(taken, name)
        rest = [group for group in rest if group not in assigned]
    return assigned | dict.fromkeys(rest, "train")


def _take(groups: list[str], sizes: Mapping[str, int], goal: int, most: int) -> list[str]:
    """At least one and at most so many groups, in this order, each of which brings the rows nearer to the goal."""
    taken: list[str] = []
    num_rows = 0
    for group in groups:
        if len(taken) < most and abs(num_rows + sizes[group] - goal) < abs(num_rows - goal):
            taken.append(group)
            num_rows += sizes[group]
    return taken or [min(groups, key=lambda group: sizes[group])]
