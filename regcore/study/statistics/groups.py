"""Groups of jobs, and which members of two groups belong together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class GroupMember:
    """One job of a group.

    Attributes:
        job_id: As in the store.
        seed: The seed of its training.
        value: The metric; None if the job failed, or if it is not finite.
        rows: What each row adds to the metric, (N,), which is their mean: its loss, or 1 if it is right and 0 if it is
            wrong; see `rows.py`.
        rows_id: Which rows these are: equal ids are the same rows in the same order.
    """

    job_id: str
    seed: int
    value: float | None
    rows: NDArray[Any] | None = None
    rows_id: str | None = None


@dataclass(frozen=True)
class Group:
    """Jobs that differ in nothing but their seeds.

    Attributes:
        name: What the group is called.
        members: One for each seed; also those that failed.
    """

    name: str
    members: Sequence[GroupMember]


@dataclass(frozen=True)
class Matched:
    """The members of two groups that are compared.

    Attributes:
        baseline: Members with a value, at least one.
        group: The same for the other group; if paired, member k is the partner of member k of the baseline.
        paired: Whether they have their seeds in common.
        notes: Who was left out, and why.
    """

    baseline: Sequence[GroupMember]
    group: Sequence[GroupMember]
    paired: bool
    notes: tuple[str, ...]


def match(baseline: Group, group: Group) -> Matched:
    """Pair members of equal seed, if seeds do not repeat within a group and most of the larger group has a partner.

    If only a few seeds are shared, pairing would discard most members; then all are compared, unpaired.
    """
    left, right = with_value(baseline), with_value(group)
    notes = [_missing_note(side, kept) for side, kept in ((baseline, left), (group, right))]
    by_seed_left, by_seed_right = ({member.seed: member for member in side} for side in (left, right))
    shared = [seed for seed in by_seed_left if seed in by_seed_right]
    repeats = len(by_seed_left) < len(left) or len(by_seed_right) < len(right)
    paired = not repeats and 2 * len(shared) > max(len(left), len(right))
    if repeats:
        notes.append("Seeds repeat within a group; its members are taken to be independent.")
    if paired:
        num_alone = len(left) + len(right) - 2 * len(shared)
        notes.append(f"Without a partner of the same seed, and left out: {num_alone}." if num_alone else "")
        left, right = [by_seed_left[seed] for seed in shared], [by_seed_right[seed] for seed in shared]
    return Matched(left, right, paired, tuple(note for note in notes if note))


def with_value(group: Group) -> list[GroupMember]:
    """The members that finished with a finite metric."""
    return [member for member in group.members if member.value is not None and math.isfinite(member.value)]


def values_of(members: Sequence[GroupMember]) -> NDArray[np.float64]:
    """The metric of members that all have it, (n,)."""
    return np.array([member.value for member in members], np.float64)


def shared_rows_id(members: Sequence[GroupMember]) -> str | None:
    """The id of the rows on which all were tested; None if they differ or are unknown."""
    ids = {member.rows_id for member in members if member.rows is not None}
    return ids.pop() if len(ids) == 1 and has_rows(members) else None


def has_rows(members: Sequence[GroupMember]) -> bool:
    """Whether it is known for every member what each row adds to its metric."""
    return all(member.rows is not None and member.rows_id is not None for member in members)


def rows_of(members: Sequence[GroupMember]) -> NDArray[np.float64]:
    """The rows' values of members with the same rows, (n, N).

    Raises:
        ValueError: Rows of one id differ in number.
    """
    return np.stack([np.asarray(member.rows, np.float64) for member in members])


def _missing_note(group: Group, kept: Sequence[GroupMember]) -> str:
    num_missing = len(group.members) - len(kept)
    return f"{group.name}: {num_missing} of {len(group.members)} have no value and are left out." if num_missing else ""
