"""From a sweep's spec to its candidates."""

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from operator import getitem
from typing import Any, Final

from jsonpointer import JsonPointer

from regcore.errors import FieldError, SpecError
from regcore.json_values import canonical, whole
from regcore.spec import apply_patch, json_pointer
from regcore.spec.patch import look_up
from regcore.spec.validation import takes_whole_numbers
from regcore.study.sweep.candidate import Candidate, Choice, Place
from regcore.study.sweep.ranges import at_share
from regcore.study.sweep.spec import Axis, Range, SweepSpec

FULL: Final = "full"
WITHOUT: Final = "without "
"""Variants of an ablation: all regularizers; and the prefix for leaving out the one that follows."""


@dataclass(frozen=True)
class _Search:
    """The start of one variant, and its axes.

    Attributes:
        name: The variant's name; None if the sweep has no variants.
        start: The base after the variant's patch.
        axes: The axes, each with its place in the sweep's spec.
        at: The variant's place in the sweep's spec.
    """

    name: str | None
    start: Any
    axes: Sequence[tuple[str, Axis]]
    at: str


def expand(sweep: SweepSpec, base: Mapping[str, Any], max_members: int) -> list[Candidate]:
    """Every candidate of a sweep, each once, variant by variant.

    Args:
        sweep: From `parse_sweep`.
        base: The base's `resolved_spec`.
        max_members: The most members, all seeds included.

    Raises:
        SpecError: A patch cannot be applied, a pointer leads nowhere or to another axis's place, or there are too many
            members.
    """
    if sweep.strategy.kind == "ablation":
        _refuse_too_many(sweep, 1 + len(base["regularizers"]), max_members)
        return _leave_out_each(base)
    searches = _searches(sweep, base)
    errors = {error.pointer: error for search in searches for error in _misplaced(search)}
    if errors:
        raise SpecError(list(errors.values()))
    _refuse_too_many(sweep, sum(_num_combinations(sweep, search) for search in searches), max_members)
    candidates: list[Candidate] = []
    for search in searches:
        unique: dict[str, Candidate] = {}
        for choices in _combinations(sweep, search):
            candidate = _candidate(search, choices)
            unique.setdefault(json.dumps(canonical(candidate.values), sort_keys=True), candidate)
        candidates += unique.values()
    return candidates


def _leave_out_each(base: Mapping[str, Any]) -> list[Candidate]:
    regularizers = base["regularizers"]
    if not regularizers:
        message = "strategy ablation leaves out each of the base's regularizers; it has none. Add some."
        raise SpecError([FieldError("/base/regularizers", "missing_field", message)])
    kinds = [regularizer["kind"] for regularizer in regularizers]
    candidates = [Candidate(FULL, deepcopy(dict(base)))]
    for k, kind in enumerate(kinds):
        ordinal = kinds[: k + 1].count(kind)  # as a plan names them
        variant = WITHOUT + (kind if ordinal == 1 else f"{kind}_{ordinal}")
        place = f"/regularizers/{k}"
        rest = {**base, "regularizers": regularizers[:k] + regularizers[k + 1 :]}
        left_out = Choice(place, None, f"/base{place}", place=place)
        candidates.append(Candidate(variant, rest, [left_out], removed=[("regularizers", k)]))
    return candidates


def _searches(sweep: SweepSpec, base: Mapping[str, Any]) -> list[_Search]:
    common = [(f"/axes/{place}", axis) for place, axis in enumerate(sweep.axes)]
    if not sweep.variants:
        return [_Search(None, base, common, "/base")]
    searches = []
    for k, variant in enumerate(sweep.variants):
        at = f"/variants/{k}"
        own = [(f"{at}/axes/{place}", axis) for place, axis in enumerate(variant.axes)]
        mine = {axis.pointer for axis in variant.axes}
        patch = [operation.model_dump(mode="json", by_alias=True) for operation in variant.patch]
        patched = apply_patch(base, patch, at=f"{at}/patch")
        shared = [one for one in common if one[1].pointer not in mine]
        searches.append(_Search(variant.name, patched, [*shared, *own], at))
    return searches


def _misplaced(search: _Search) -> Iterator[FieldError]:
    """Errors in the axes' pointers."""
    taken: dict[Place, str] = {}
    there = f" in variant {search.name!r}" if search.name else ""
    for at, axis in search.axes:
        problem = look_up(search.start, axis.pointer, must_exist=False)
        if not axis.pointer or problem:
            why = problem or "it is the whole spec. Use variants for that."
            yield FieldError(f"{at}/pointer", "path_not_found", f"{axis.pointer!r:.200} leads nowhere{there}: {why}")
            continue
        place = _place(search.start, axis.pointer)
        if place in taken:
            message = f"{axis.pointer!r:.200} is the same place as {taken[place]!r:.200}{there}. Remove one of the two."
            yield FieldError(f"{at}/pointer", "doubled", message)
        taken[place] = axis.pointer


def _refuse_too_many(sweep: SweepSpec, num_candidates: int, max_members: int) -> None:
    num_seeds = len(sweep.seeds)
    if num_candidates * num_seeds > max_members:
        has_axes = sweep.axes or any(variant.axes for variant in sweep.variants)
        message = (
            f"A sweep may have at most {max_members:,} members on this server; this one has "
            f"{num_candidates * num_seeds:,} ({num_candidates:,} combinations, {num_seeds:,} seeds). Try fewer."
        )
        raise SpecError([FieldError("/axes" if has_axes else "/seeds", "over_ceiling", message)])


def _num_combinations(sweep: SweepSpec, search: _Search) -> int:
    if sweep.strategy.kind == "random":
        return sweep.strategy.num_trials
    return math.prod(len(axis.values) if axis.values is not None else _points(axis.range) for _, axis in search.axes)


def _points(of: Range | None) -> int:
    assert of is not None
    assert of.num_points is not None, "parse_sweep has asked for it"
    return of.num_points


def _combinations(sweep: SweepSpec, search: _Search) -> Iterator[Sequence[Choice]]:
    if sweep.strategy.kind != "random":
        yield from itertools.product(*(list(_every(at, axis)) for at, axis in search.axes))
        return
    dice = random.Random(sweep.strategy.seed)  # noqa: S311 - draws trials, guards nothing
    for _ in range(sweep.strategy.num_trials):
        yield [_draw(dice, at, axis) for at, axis in search.axes]


def _every(at: str, axis: Axis) -> Iterator[Choice]:
    """Every value of an axis."""
    if axis.values is not None:
        yield from (Choice(axis.pointer, value, f"{at}/values/{k}") for k, value in enumerate(axis.values))
        return
    assert axis.range is not None
    last = _points(axis.range) - 1
    for k in range(last + 1):
        yield Choice(axis.pointer, at_share(axis.range, Fraction(k, last)), f"{at}/range", is_drawn=True)


def _draw(dice: random.Random, at: str, axis: Axis) -> Choice:
    if axis.values is not None:
        k = dice.randrange(len(axis.values))
        return Choice(axis.pointer, axis.values[k], f"{at}/values/{k}")
    assert axis.range is not None
    return Choice(axis.pointer, at_share(axis.range, Fraction(dice.random())), f"{at}/range", is_drawn=True)


def _candidate(search: _Search, choices: Sequence[Choice]) -> Candidate:
    """Put every choice into the start: outer places first, removals last and from the back."""
    gone = [choice.pointer for choice in choices if choice.value is None]
    spec = deepcopy(search.start)
    made = {choice.pointer: choice for choice in choices}  # in the order of the axes
    for choice in sorted(choices, key=_outer_first):
        # A choice inside a removed place has no effect.
        is_lost = any(f"{choice.pointer}/".startswith(f"{pointer}/") for pointer in gone)
        made[choice.pointer] = replace(choice, value=None, place=choice.pointer) if is_lost else _put(spec, choice)
    removed = sorted(_place(spec, pointer) for pointer in gone if not look_up(spec, pointer, must_exist=True))
    for place in reversed(removed):
        holder, last = _holder(spec, place)
        del holder[last]
    of_lists = [place for place in removed if isinstance(place[-1], int)]
    return Candidate(search.name, spec, list(made.values()), of_lists, search.at)


def _outer_first(choice: Choice) -> tuple[int, bool]:
    """Appending to a list comes after choices inside the list."""
    return choice.pointer.count("/"), choice.pointer.endswith("/-")


def _put(spec: Any, choice: Choice) -> Choice:
    """Put a value into the spec; returns the choice with its final value and place."""
    problem = look_up(spec, choice.pointer, must_exist=False)
    if problem:  # another axis put a value there that has no such place
        message = f"{choice.pointer!r:.200} leads nowhere: {problem}"
        raise SpecError([FieldError(choice.source, "path_not_found", message)])
    place = _place(spec, choice.pointer)
    value = choice.value
    if isinstance(value, float) and takes_whole_numbers(place, spec):
        value = round(value) if choice.is_drawn else whole(value)
    holder, last = _holder(spec, place)
    if isinstance(holder, list):
        holder[last : last + 1] = [deepcopy(value)]
    else:
        holder[last] = deepcopy(value)
    return replace(choice, value=value, place=json_pointer(place))


def _place(spec: Any, pointer: str) -> Place:
    """The place of a checked pointer; `-` is the position after the last."""
    *outer, last = JsonPointer(pointer).parts
    node, place = spec, []
    for part in outer:
        place.append(int(part) if isinstance(node, list) else part)
        node = node[place[-1]]
    if not isinstance(node, list):
        return (*place, last)
    return (*place, len(node) if last == "-" else int(last))


def _holder(spec: Any, place: Place) -> tuple[Any, Any]:
    """The object or list around a place, and the key or position in it."""
    *outer, last = place
    return reduce(getitem, outer, spec), last
