"""Warnings about a sweep with fewer combinations than its spec asks for, because equal ones are made once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from regcore.json_values import canonical
from regcore.plan import SpecWarning
from regcore.study.sweep.spec import Axis, Random, SweepSpec

Combination = tuple[str | None, Mapping[str, Any]]
"""The variant's name, and the value of each axis by its pointer."""


def fewer_than_asked(sweep: SweepSpec, made: Sequence[Combination]) -> list[SpecWarning]:
    """Warn if trials or points of a range are equal, as in fields of whole numbers and narrow ranges.

    Args:
        sweep: From `parse_sweep`.
        made: The combinations, each once.
    """
    if isinstance(sweep.strategy, Random):
        return list(_fewer_trials(sweep, sweep.strategy, made))
    return [warning for at, axis, variants in _ranges(sweep) for warning in _fewer_points(at, axis, variants, made)]


def _fewer_trials(sweep: SweepSpec, strategy: Random, made: Sequence[Combination]) -> Iterator[SpecWarning]:
    num_asked = strategy.num_trials * max(1, len(sweep.variants))
    if len(made) < num_asked:
        yield SpecWarning(
            code="fewer_trials",
            pointer="/strategy/num_trials",
            message=f"Of {num_asked:,} random trials {len(made):,} differ; each combination is trained once.",
            remedy="Draw from longer lists or wider ranges, or ask for fewer; strategy grid tries all there are.",
        )


def _ranges(sweep: SweepSpec) -> Iterator[tuple[str, Axis, list[str | None]]]:
    """Each axis with a range: its place, and the variants in which it is searched."""
    for place, axis in enumerate(sweep.axes):
        own = [one.name for one in sweep.variants if axis.pointer not in {mine.pointer for mine in one.axes}]
        if axis.range:
            yield f"/axes/{place}", axis, [*own] or [None] * (not sweep.variants)
    for k, variant in enumerate(sweep.variants):
        for place, axis in enumerate(variant.axes):
            if axis.range:
                yield f"/variants/{k}/axes/{place}", axis, [variant.name]


def _fewer_points(
    at: str, axis: Axis, variants: Sequence[str | None], made: Sequence[Combination]
) -> Iterator[SpecWarning]:
    assert axis.range is not None
    num_asked = axis.range.num_points
    assert num_asked is not None, "parse_sweep has asked for it"
    for name in variants:
        values = {canonical(of[axis.pointer]) for variant, of in made if variant == name} - {None}
        if len(values) < num_asked:
            yield SpecWarning(
                code="fewer_points",
                pointer=f"{at}/range/num_points",
                message=f"Of {num_asked:,} points {len(values):,} differ; each is tried once.",
                remedy="Ask for fewer points, or widen the range.",
            )
            return
