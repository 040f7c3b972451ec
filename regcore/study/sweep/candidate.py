"""One combination of a sweep: its job specs, and the part of the sweep's spec that causes an error in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jsonpointer import JsonPointer

from regcore.errors import FieldError
from regcore.spec import json_pointer
from regcore.spec.validation import shown
from regcore.study.sweep.spec import SweepSpec

Json = dict[str, Any]
Place = tuple[str | int, ...]
"""Keys and positions down to a value."""


@dataclass(frozen=True)
class Choice:
    """One value of one axis.

    Attributes:
        pointer: The axis's pointer.
        value: Any JSON. None if it removes, or if another choice removed the place around it.
        source: Its place in the sweep's spec: `/axes/0/values/2`.
        is_drawn: Whether it comes from a range, and is rounded in a field for whole numbers.
        place: Where it was put, as a pointer before any removal.
    """

    pointer: str
    value: Any
    source: str
    is_drawn: bool = False
    place: str = ""


@dataclass(frozen=True)
class Candidate:
    """One combination, to be trained with every seed.

    Attributes:
        variant: Its variant's name; None if the sweep has no variants.
        spec: The job spec without the seed, valid or not.
        choices: The choice of each axis.
        removed: Items that were removed from lists, by their original places, in rising order.
        at: The source of what its variant has in common: `/variants/1` or `/base`.
    """

    variant: str | None
    spec: Any
    choices: Sequence[Choice] = ()
    removed: Sequence[Place] = ()
    at: str = "/base"

    @property
    def values(self) -> Json:
        """The value of each axis, by the axis's pointer."""
        return {choice.pointer: choice.value for choice in self.choices}

    def members(self, sweep: SweepSpec) -> Iterator[tuple[int, Json]]:
        """Each seed, with the job spec to train with it. The candidate's own spec must be a valid one."""
        for seed in sweep.seeds:
            spec = {**self.spec, "training": {**self.spec.get("training", {}), "seed": seed}}
            if sweep.vary_split:
                spec["data"] = {**spec["data"], "split_seed": seed}
            yield seed, spec

    def explain(self, error: FieldError) -> FieldError:
        """Turn an error of this candidate's job spec into one of the sweep's, at the source of the wrong value."""
        with_values = ", ".join(f"{pointer} = {shown(value)}" for pointer, value in self.values.items())
        described = " and ".join(filter(None, [self.variant and f"variant {self.variant!r}", with_values]))
        message = f"With {described}: {error.message}" if described else error.message
        return FieldError(self._origin(self._before_removals(error.pointer)), error.code, message)

    def _origin(self, pointer: str) -> str:
        """The source of a place in the sweep's spec: the innermost choice around it, else the first inside."""
        innermost_first = sorted(self.choices, key=lambda choice: -choice.place.count("/"))
        for choice in innermost_first:
            if f"{pointer}/".startswith(f"{choice.place}/"):
                inside = pointer.removeprefix(choice.place) if isinstance(choice.value, dict | list) else ""
                return choice.source + inside
        for choice in self.choices:
            if choice.place.startswith(f"{pointer}/"):
                return choice.source
        return self.at + pointer if self.at == "/base" else self.at

    def _before_removals(self, pointer: str) -> str:
        parts = JsonPointer(pointer).parts
        for *outer, position in self.removed:
            depth = len(outer)
            if parts[:depth] == [str(part) for part in outer] and len(parts) > depth:
                parts[depth] = str(int(parts[depth]) + (int(parts[depth]) >= int(position)))
        return json_pointer(parts)
