"""Asynchronous successive halving: at which epochs members are judged, and which of them continue.

Source: Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning (ASHA).
"""

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from regcore.json_values import canonical
from regcore.study.sweep.candidate import Candidate
from regcore.study.sweep.spec import Halving, SweepSpec

_WENT_ON, _ARRIVING, _STOPPED = range(3)
"""The order among equal candidates."""


@dataclass(frozen=True)
class Rungs:
    """The rungs at which a member of a halving is judged.

    Attributes:
        epochs: The numbers of epochs.
        eta: One in `eta` continues.
        metric: The metric that decides.
        mode: Which way is better.
    """

    epochs: list[int]
    eta: int
    metric: str
    mode: Literal["min", "max"]


def rungs_of(sweep: SweepSpec, num_epochs: int) -> Rungs | None:
    """The rungs of a member that trains for this many epochs; None if the sweep is not a halving.

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
    """The turn in which each candidate starts, the same for all of its seeds.

    Candidates of a halving start in a shuffled order. In the order of their values each might be the best so far, and
    none would be stopped. The shuffle depends only on the candidates, so the order of the values in the spec does not
    matter. In other sweeps all have the same turn.
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
    """The candidates that continue from a rung.

    Of all n that have reached it so far, the best ⌈n / eta⌉ by the mean over seeds continue. No candidate waits for
    others: an early one is compared with few, and may continue although it would not later. Decisions are final. Among
    equals, those that continued come first, then the arriving ones in the given order, then those that were stopped.

    Args:
        earlier: Candidates with a decision: their values, and whether they continued.
        arriving: The values of the candidates to decide on. A value that is None or not finite makes the candidate the
            worst.
        eta: One in `eta` continues.
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
        return dict.fromkeys(arriving, True)  # no candidate has a value
    best = ranked[: math.ceil(len(ranked) / eta)]
    going_on = {name for cost, turn, name in best if turn == _ARRIVING and math.isfinite(cost)}
    return {name: name in going_on for name in arriving}


def _cost(values: Iterable[float | None], mode: Literal["min", "max"]) -> float:
    known = [math.nan if value is None else value for value in values]
    mean = sum(value / len(known) for value in known)  # divide first, because the sum may overflow
    return math.inf if not math.isfinite(mean) else mean if mode == "min" else -mean
