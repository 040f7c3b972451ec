from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from one_job import finish, requeue

from jobs.errors import StaleRunError
from jobs.model import Capabilities, ClaimedRun, NewJob, NewSweep
from jobs.states import JobState
from jobs.store import Store

RUNGS = {"epochs": [1, 3], "eta": 2, "metric": "validation/loss", "mode": "min"}


def best_half(
    earlier: Mapping[str, tuple[Collection[float | None], bool]],
    arriving: Mapping[str, Collection[float | None]],
    eta: int,
    mode: str,
) -> dict[str, bool]:
    """Those below the mean of all: enough to see who is asked about, and with what."""
    assert (eta, mode) == (2, "min")
    every = [value or 0.0 for values in [*arriving.values(), *(v for v, _ in earlier.values())] for value in values]
    return {name: sum(v or 0.0 for v in vs) / len(vs) <= sum(every) / len(every) for name, vs in arriving.items()}


@pytest.fixture
def halving(store: Store, new_job: Callable[..., NewJob], cpu: Capabilities, tenant: str) -> Callable[..., ClaimedRun]:
    """Submits a halving of so many combinations with two seeds each; gives its first run, of so many members.

    Combinations take turns between the variants.
    """

    def submit(num_candidates: int, num_claimed: int, variants: Sequence[str | None] = (None,)) -> ClaimedRun:
        members = [
            replace(
                new_job(),
                fusion_key="same",
                sweep={
                    "variant": variants[k % len(variants)],
                    "values": {},
                    "seed": seed,
                    "candidate": str(k),
                    "rungs": RUNGS,
                },
            )
            for k in range(num_candidates)
            for seed in (0, 1)
        ]
        store.submit_sweep(tenant, NewSweep(None, {}, {}, members))
        return claim(store, cpu, num_claimed)

    return submit


def claim(store: Store, cpu: Capabilities, num: int) -> ClaimedRun:
    lead = store.claim("wrk_1", cpu)
    assert lead is not None
    whole = store.join(lead.run_id, lead.jobs[0].id, cpu, num - 1, 10**12)
    assert len(whole.jobs) == num
    store.start_all(whole.run_id)
    return whole


def judge(store: Store, run: ClaimedRun, values: list[float | None], epoch: int = 1) -> list[bool]:
    asked = dict(zip((job.id for job in run.jobs), values, strict=True))
    decided = store.judge_rung(run.run_id, epoch, asked, best_half)
    return [decided[job.id] for job in run.jobs]


def test_combinations_go_on_with_all_their_seeds_or_none(store: Store, halving: Any) -> None:
    run = halving(2, 4)

    assert judge(store, run, [1.0, 2.0, 0.0, 8.0]) == [True, True, False, False]


def test_what_was_decided_stays_whatever_is_said_later(store: Store, halving: Any) -> None:
    run = halving(2, 4)
    first = judge(store, run, [1.0, 1.0, 9.0, 9.0])

    assert judge(store, run, [9.0, 9.0, 1.0, 1.0]) == first == [True, True, False, False]


def test_each_rung_is_decided_for_itself(store: Store, halving: Any) -> None:
    run = halving(2, 4)
    judge(store, run, [1.0, 1.0, 9.0, 9.0], epoch=1)

    assert judge(store, run, [9.0, 9.0, 1.0, 1.0], epoch=3) == [False, False, True, True]


def test_a_seed_that_comes_later_follows_its_combination(store: Store, halving: Any, cpu: Capabilities) -> None:
    first = halving(2, 3)
    judge(store, first, [9.0, 9.0, 1.0])
    second = claim(store, cpu, 1)

    assert judge(store, second, [1e9]) == [True]


def test_later_ones_are_judged_among_the_earlier_ones(store: Store, halving: Any, cpu: Capabilities) -> None:
    first = halving(3, 4)
    judge(store, first, [1.0, 1.0, 2.0, 2.0])
    second = claim(store, cpu, 2)

    assert judge(store, second, [3.0, 3.0]) == [False, False]


def test_each_is_judged_among_those_of_its_own_variant(store: Store, halving: Any) -> None:
    run = halving(4, 8, variants=["l2", "dropout"])

    # In turns: the worst of l2 is better than the best of dropout.
    assert judge(store, run, [1.0, 1.0, 8.0, 8.0, 2.0, 2.0, 9.0, 9.0]) == [True] * 4 + [False] * 4


def test_earlier_ones_of_other_variants_do_not_count(store: Store, halving: Any, cpu: Capabilities) -> None:
    first = halving(4, 4, variants=["l2", "dropout"])
    judge(store, first, [1.0, 1.0, 8.0, 8.0])
    second = claim(store, cpu, 4)

    assert judge(store, second, [0.5, 0.5, 7.0, 7.0]) == [True] * 4


def test_no_value_is_a_value(store: Store, halving: Any) -> None:
    run = halving(1, 2)

    assert judge(store, run, [None, None]) == [True, True]


def test_a_run_that_is_no_longer_current_decides_nothing(store: Store, halving: Any, cpu: Capabilities) -> None:
    run = halving(1, 2)
    for job in run.jobs:
        requeue(store, run.run_id, job.id)

    with pytest.raises(StaleRunError):
        judge(store, run, [1.0, 2.0])


def test_the_rungs_go_with_their_sweep(store: Store, halving: Any, tenant: str) -> None:
    run = halving(1, 2)
    judge(store, run, [1.0, 2.0])
    for job in run.jobs:
        finish(store, run.run_id, job.id, JobState.SUCCEEDED)

    store.delete_sweep(tenant, run.jobs[0].sweep["id"])

    assert store.list_sweeps(tenant).data == []
