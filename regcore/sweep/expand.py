"""From a sweep's spec to its candidates, and from each candidate to one job spec for each seed."""

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from jsonpointer import JsonPointer

from regcore.errors import FieldError, SpecError
from regcore.spec import apply_patch
from regcore.spec.patch import look_up
from regcore.sweep.spec import Axis, Range, SweepSpec

Json = dict[str, Any]

FULL: Final = "full"
WITHOUT: Final = "without "
"""Variants of an ablation: all regularizers, and without the one that follows."""


@dataclass(frozen=True)
class Candidate:
    """One combination, to be trained with every seed.

    Attributes:
        variant: Its variant's name; None where the sweep has none.
        values: What each axis puts in its place, by pointer; None where it removes, or where another one removed it.
        spec: The job spec, but for the seed.
        sources: Where each value comes from in the sweep's spec, by pointer: `/axes/0/values/2`.
        at: Where what is common to its variant comes from: `/variants/1` or `/base`.
    """

    variant: str | None
    values: Json
    spec: Json
    sources: dict[str, str] = field(default_factory=dict)
    at: str = "/base"

    def members(self, sweep: SweepSpec) -> Iterator[tuple[int, Json]]:
        """Each seed, with the job spec to train with it."""
        for seed in sweep.seeds:
            spec = {**self.spec, "training": {**self.spec.get("training", {}), "seed": seed}}
            if sweep.vary_split:
                spec["data"] = {**spec["data"], "split_seed": seed}
            yield seed, spec

    def explain(self, error: FieldError) -> FieldError:
        """An error of this candidate's job spec, as one of the sweep's: pointing at what put the wrong value there."""
        with_values = ", ".join(f"{pointer} = {json.dumps(value)}" for pointer, value in self.values.items())
        described = " and ".join(filter(None, [self.variant and f"variant {self.variant!r}", with_values]))
        message = f"With {described}: {error.message}" if described else error.message
        for pointer, source in self.sources.items():
            if error.pointer == pointer or error.pointer.startswith(f"{pointer}/"):
                return FieldError(source + error.pointer.removeprefix(pointer), error.code, message)
        at = self.at + error.pointer if self.at == "/base" else self.at
        return FieldError(at, error.code, message)


@dataclass(frozen=True)
class _Choice:
    """One value of one axis, and where it comes from."""

    pointer: str
    value: Any
    source: str


def expand(sweep: SweepSpec, base: Mapping[str, Any], max_members: int) -> list[Candidate]:
    """Every candidate of a sweep, each once, variant by variant.

    Args:
        sweep: From `parse_sweep`.
        base: The base's `resolved_spec`.
        max_members: The most that there may be, with every seed.

    Raises:
        SpecError: A patch cannot be applied, a pointer leads nowhere, or there would be too many.
    """
    if sweep.strategy.kind == "ablation":
        return _leave_out_each(base)
    variants: list[tuple[str | None, Json, Sequence[tuple[str, Axis]], str]] = []
    common = [(f"/axes/{place}", axis) for place, axis in enumerate(sweep.axes)]
    for k, variant in enumerate(sweep.variants):
        at = f"/variants/{k}"
        own = [(f"{at}/axes/{place}", axis) for place, axis in enumerate(variant.axes)]
        mine = {axis.pointer for axis in variant.axes}
        patch = [operation.model_dump(mode="json", by_alias=True) for operation in variant.patch]
        patched = apply_patch(base, patch, at=f"{at}/patch")
        variants.append((variant.name, patched, [*(one for one in common if one[1].pointer not in mine), *own], at))
    if not variants:
        variants = [(None, deepcopy(dict(base)), common, "/base")]
    errors = [error for _, start, axes, _ in variants for at, axis in axes for error in _lost(start, at, axis)]
    if errors:
        raise SpecError(errors)
    _refuse_too_many(sweep, [[axis for _, axis in axes] for _, _, axes, _ in variants], max_members)
    candidates: list[Candidate] = []
    for name, start, axes, at in variants:
        unique: dict[str, Candidate] = {}
        for choices in _combinations(sweep, start, axes):
            candidate = _candidate(name, start, choices, at)
            unique.setdefault(json.dumps(candidate.values), candidate)
        candidates += unique.values()
    return candidates


def _leave_out_each(base: Mapping[str, Any]) -> list[Candidate]:
    regularizers = base["regularizers"]
    if not regularizers:
        message = "strategy ablation leaves out each of the base's regularizers; it has none. Add some."
        raise SpecError([FieldError("/base/regularizers", "missing_field", message)])
    kinds = [regularizer["kind"] for regularizer in regularizers]
    candidates = [Candidate(FULL, {}, deepcopy(dict(base)))]
    for k, kind in enumerate(kinds):
        ordinal = kinds[: k + 1].count(kind)  # as a plan names them
        variant = WITHOUT + (kind if ordinal == 1 else f"{kind}_{ordinal}")
        rest = {**base, "regularizers": regularizers[:k] + regularizers[k + 1 :]}
        candidates.append(Candidate(variant, {f"/regularizers/{k}": None}, rest))
    return candidates


def _lost(start: Json, at: str, axis: Axis) -> Iterator[FieldError]:
    """What is wrong with where an axis points."""
    problem = look_up(start, axis.pointer, must_exist=False)
    if not axis.pointer or problem:
        why = problem or "it is the whole spec. Use variants for that."
        yield FieldError(f"{at}/pointer", "path_not_found", f"{axis.pointer!r:.200} leads nowhere: {why}")


def _refuse_too_many(sweep: SweepSpec, variants: Sequence[Sequence[Axis]], max_members: int) -> None:
    if sweep.strategy.kind == "random":
        num = sweep.strategy.num_trials * len(variants)
    else:
        num = sum(math.prod(map(_num_values, axes)) for axes in variants)
    if num * len(sweep.seeds) > max_members:
        message = (
            f"A sweep may have at most {max_members:,} members on this server; this one has "
            f"{num * len(sweep.seeds):,} ({num:,} combinations, {len(sweep.seeds):,} seeds). Try fewer."
        )
        raise SpecError([FieldError("/axes", "over_ceiling", message)])


def _num_values(axis: Axis) -> int:
    return len(axis.values) if axis.values is not None else _points(axis.range)


def _points(of: Range | None) -> int:
    assert of is not None
    assert of.num_points is not None, "parse_sweep has asked for it"
    return of.num_points


def _combinations(sweep: SweepSpec, start: Json, axes: Sequence[tuple[str, Axis]]) -> Iterator[Sequence[_Choice]]:
    if sweep.strategy.kind != "random":
        yield from itertools.product(*(list(_values(start, at, axis)) for at, axis in axes))
        return
    dice = random.Random(sweep.strategy.seed)  # noqa: S311 - draws trials, guards nothing
    for _ in range(sweep.strategy.num_trials):
        yield [_draw(dice, start, at, axis) for at, axis in axes]


def _values(start: Json, at: str, axis: Axis) -> Iterator[_Choice]:
    """Every value of an axis."""
    if axis.values is not None:
        yield from (_Choice(axis.pointer, value, f"{at}/values/{k}") for k, value in enumerate(axis.values))
        return
    last = _points(axis.range) - 1
    for k in range(last + 1):
        yield _Choice(axis.pointer, _at(start, axis, k / last), f"{at}/range")


def _draw(dice: random.Random, start: Json, at: str, axis: Axis) -> _Choice:
    if axis.values is not None:
        k = dice.randrange(len(axis.values))
        return _Choice(axis.pointer, axis.values[k], f"{at}/values/{k}")
    return _Choice(axis.pointer, _at(start, axis, dice.random()), f"{at}/range")


def _at(start: Json, axis: Axis, share: float) -> float:
    """The number at this share of a range's way; its ends exactly."""
    of = axis.range
    assert of is not None
    if share in (0, 1):
        number = of.high if share else of.low
    elif of.kind == "log":
        number = of.low * (of.high / of.low) ** share
    else:
        number = of.low + (of.high - of.low) * share
    there = JsonPointer(axis.pointer).resolve(start, None)
    is_whole = isinstance(there, int) and not isinstance(there, bool)
    return round(number) if is_whole else number


def _candidate(variant: str | None, start: Json, choices: Sequence[_Choice], at: str) -> Candidate:
    """The start with every choice in its place: outer places first, and removals last, from the back."""
    removed = [choice.pointer for choice in choices if choice.value is None]
    # What lies in a place that is removed is not there, whatever is chosen for it.
    choices = [
        _Choice(c.pointer, None, c.source) if any(c.pointer.startswith(f"{gone}/") for gone in removed) else c
        for c in choices
    ]
    spec = deepcopy(start)
    for choice in sorted(choices, key=lambda choice: choice.pointer.count("/")):
        if choice.value is not None:
            _put(spec, choice)
    for pointer in sorted(removed, key=_place, reverse=True):
        _remove(spec, pointer)
    return Candidate(
        variant=variant,
        values={choice.pointer: choice.value for choice in choices},
        spec=spec,
        sources={c.pointer: c.source for c in sorted(choices, key=lambda c: -c.pointer.count("/"))},
        at=at,
    )


def _place(pointer: str) -> list[tuple[int, str]]:
    """Sorts places of one list by index."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in JsonPointer(pointer).parts]


def _put(spec: Json, choice: _Choice) -> None:
    problem = look_up(spec, choice.pointer, must_exist=False)
    if problem:  # another axis put something there that has no such place
        message = f"{choice.pointer!r:.200} leads nowhere: {problem}"
        raise SpecError([FieldError(choice.source, "path_not_found", message)])
    node, last = _parent(spec, choice.pointer)
    value = deepcopy(choice.value)
    if isinstance(node, list):
        position = len(node) if last == "-" else int(last)
        node[position : position + 1] = [value]
    else:
        node[last] = value


def _remove(spec: Json, pointer: str) -> None:
    if look_up(spec, pointer, must_exist=True) is None:
        node, last = _parent(spec, pointer)
        del node[int(last) if isinstance(node, list) else last]


def _parent(spec: Any, pointer: str) -> tuple[Any, str]:
    *outer, last = JsonPointer(pointer).parts
    node = spec
    for part in outer:
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node, last
