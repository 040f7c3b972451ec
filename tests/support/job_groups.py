"""Groups of made-up jobs for comparisons."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from regcore.study.statistics import Group, GroupMember


def group_of(
    name: str,
    values: Sequence[float | None],
    *,
    seeds: Sequence[int] | None = None,
    rows: Sequence[NDArray[np.float64] | None] | None = None,
    rows_id: str | None = "test",
) -> Group:
    seeds = range(len(values)) if seeds is None else seeds
    rows = [None] * len(values) if rows is None else rows
    members = [
        GroupMember(f"job_{name}_{seed}", seed, value, own, None if own is None else rows_id)
        for seed, value, own in zip(seeds, values, rows, strict=True)
    ]
    return Group(name, members)


def group_from_rows(
    name: str, rows: NDArray[np.float64], *, seeds: Sequence[int] | None = None, rows_id: str = "test"
) -> Group:
    """Return a group with a member for each line of (members, rows); its value is the line's mean."""
    return group_of(name, [float(own.mean()) for own in rows], seeds=seeds, rows=list(rows), rows_id=rows_id)


def steady_group(name: str, values: Sequence[float], *, seeds: Sequence[int] | None = None) -> Group:
    """Return a group in which all rows of a member have the same loss, so that only the noise of training remains."""
    return group_of(name, values, seeds=seeds, rows=[np.full(20, value) for value in values])


def noisy_group(
    name: str,
    rng: np.random.Generator,
    hard: NDArray[np.float64],
    *,
    num_members: int = 3,
    seed_noise: float,
    row_noise: float,
    effect: float = 0.0,
    first_seed: int = 0,
) -> Group:
    """Return a group whose losses are the sum of the row's difficulty, an effect of the group, and noises.

    Args:
        hard: The difficulty of each row, equal in every group, (N,).
        seed_noise: Standard deviation between members, equal for all rows.
        row_noise: Standard deviation between rows, once for the whole group and once for each member.
        effect: The number that the group adds to every loss.
    """
    num_rows = len(hard)
    members = rng.normal(scale=seed_noise, size=(num_members, 1))
    own = rng.normal(scale=row_noise, size=(num_members, num_rows))
    rows = hard + effect + rng.normal(scale=row_noise, size=num_rows) + members + own
    return group_from_rows(name, rows, seeds=range(first_seed, first_seed + num_members))
