"""Asynchronous successive halving: where members are judged, and which of them go on.

Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning (ASHA).
"""

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from regcore.json_values import canonical
from regcore.sweep.candidate import Candidate
from regcore.sweep.spec import Halving, SweepSpec

_WENT_ON, _ARRIVING, _STOPPED = range(3)
"""Whose turn it is among equals."""


@dataclass(frozen=True)
class Rungs:
    """Where a member of a halving is judged.

    Attributes:
        epochs: After these many.
        eta: One of so many goes on.
        metric: By which metric.
        mode: Which way it is better.
    """

    epochs: list[int]
    eta: int
    metric: str
    mode: Literal["min", "max"]


def rungs_of(sweep: SweepSpec, num_epochs: int) -> Rungs | None:
    """Where a member that trains for so many epochs is judged; None where the sweep is no halving.

    min_epochs · etaᵏ < num_epochs, k = 0, 1, …
    """
    if not isinstance(sweep.strategy, Halving):
        return None
    epochs, epoch = [], sweep.strategy.min_epochs
    while epoch < num_epochs:
        epochs.append(epoch)
        epoch *= sweep.strategy.eta
    return Rungs(epochs, sweep.strategy.eta, sweep.metric, sweep.mode)


def turns(sweep: SweepSpec, candidates: Sequence[Candidate]) -> list[int]:
    """When each candidate starts, the same for all of its seeds.

    A halving's start in a shuffle, which follows from what each one is: in the order of their values each might be the
    best so far, and none would be stopped. So it does not matter in which order the values were given. Elsewhere all
    have the same turn.
    """
    if not isinstance(sweep.strategy, Halving):
        return [0] * len(candidates)
    lots = [_lot(candidate) for candidate in candidates]
    turn_of = {lot: turn for turn, lot in enumerate(sorted(lots))}
    return [turn_of[lot] for lot in lots]


def _lot(candidate: Candidate) -> bytes:
    said = json.dumps([candidate.variant, canonical(candidate.values)], sort_keys=True)
    return hashlib.sha256(said.encode()).digest()


def decide(
    earlier: Mapping[str, tuple[Collection[float | None], bool]],
    arriving: Mapping[str, Collection[float | None]],
    eta: int,
    mode: Literal["min", "max"],
) -> dict[str, bool]:
    """Which candidates go on from a rung.

    Of all n that have reached it so far, the best ⌈n / eta⌉ by the mean over seeds. Who comes early is judged among
    few: so nobody waits, and some go on that would not have later. What was decided stays; so among equals those that
    went on come first, then those that arrive, in the order given, then those that were stopped.

    Args:
        earlier: Candidates that are decided on: their values, and whether they went on.
        arriving: The values of those to decide on. One that is None or not finite makes the candidate the worst.
        eta: One of so many goes on.
        mode: Which way is better.
    """
    ranked = sorted(
        [
            *((_cost(values, mode), _WENT_ON if well else _STOPPED, "") for values, well in earlier.values()),
            *((_cost(values, mode), _ARRIVING, name) for name, values in arriving.items()),
        ],
        key=lambda entry: entry[:2],
    )
    if not any(math.isfinite(cost) for cost, _, _ in ranked):
        return dict.fromkeys(arriving, True)  # nothing is known of anyone
    best = ranked[: math.ceil(len(ranked) / eta)]
    going_on = {name for cost, turn, name in best if turn == _ARRIVING and math.isfinite(cost)}
    return {name: name in going_on for name in arriving}


def _cost(values: Iterable[float | None], mode: Literal["min", "max"]) -> float:
    known = [math.nan if value is None else value for value in values]
    mean = sum(value / len(known) for value in known)  # shares first: a sum may overflow
    return math.inf if not math.isfinite(mean) else mean if mode == "min" else -mean
