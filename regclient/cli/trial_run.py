"""The sweeps of a trial: each is run within the budget, and judged by what has ended."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.live import Live

from regclient.display.output import err
from regclient.display.trial_tables import trial_show
from regclient.display.variant_outcomes import CONSTANT, FEWEST_SEEDS, LINEAR, NOTHING, Trial, judge_variants
from regclient.errors import WaitTimeoutError
from regclient.http.answers import JSONObject
from regclient.known_kinds import headline_metrics
from regclient.stack.borrowed import Borrowed
from regclient.sweep import Sweep

OVERTIME = 1.5
"""Of the budget; what has not ended by then is cancelled."""
LEAST_S = 45.0
"""Before that nothing is cancelled: a busy machine would end without any verdict."""
FIRST_SHARE = 0.65
TWO_ROUNDS_FROM_S = 60.0
REPORT_S = 3.0
"""Kept for comparing, drawing and writing."""
CANCEL_S = 60.0


@dataclass(frozen=True)
class Budget:
    """The time that a trial may take.

    Attributes:
        budget_s: All of it.
        started_at: On the monotonic clock.
    """

    budget_s: float
    started_at: float

    @property
    def left_s(self) -> float:
        """What is left of it now."""
        return max(1.0, self.started_at + self.budget_s - REPORT_S - time.monotonic())

    @property
    def of_first_round_s(self) -> float:
        """For the first sweep: a small budget is not divided."""
        return self.left_s * FIRST_SHARE if self.left_s >= TWO_ROUNDS_FROM_S else self.left_s

    @property
    def until_cut_s(self) -> float:
        """Until what runs is cancelled."""
        allowed_s = max(OVERTIME * self.budget_s, LEAST_S) - 2 * REPORT_S
        return max(1.0, self.started_at + allowed_s - time.monotonic())


@dataclass(frozen=True)
class Round:
    """One sweep of a trial that has ended.

    Attributes:
        sweep: The sweep.
        trial: Its verdicts; None if fewer than two variants have a result.
        cut: What ended it early: the user's signal, or the budget; None if it ran to its end.
        job_id: A job of the best combination.
    """

    sweep: Sweep
    trial: Trial | None
    cut: KeyboardInterrupt | WaitTimeoutError | None
    job_id: str


@dataclass(frozen=True)
class Combination:
    """The best two regularizers together.

    Attributes:
        name: The variant's.
        alone: The better one of the two alone.
        verdict: Together against that one.
        difference: Of the losses: `{value, low, high}`.
        job_id: A job of the two together.
    """

    name: str
    alone: str
    verdict: str
    difference: Mapping[str, Any]
    job_id: str

    @property
    def wins(self) -> bool:
        """Whether the two together are measurably better."""
        return self.verdict == "helps"


def run_round(server: Borrowed, suggestion: JSONObject, budget: Budget, task: str, *, as_json: bool) -> Round:
    """Submit a suggested sweep and wait for its end; cancel it when the budget is used up or the user interrupts."""
    sweep = server.client.sweeps.create(suggestion["sweep"])
    cut = _wait(server, sweep, budget.until_cut_s, task, as_json=as_json)
    if cut is not None:
        sweep.refresh()
        if not sweep.done:
            sweep.cancel()
            sweep.wait(CANCEL_S, progress=False, check=False)
    sweep.refresh()
    leaders = _best_of_each(sweep) if cut is None else by_shared_seeds(sweep)
    names = [leader["variant"] for leader in leaders]
    job_id = next((one["job_ids"][0] for one in leaders if one["variant"] != CONSTANT), "")
    trial = _judge(server, sweep, names, job_id) if len(names) > 1 else None
    return Round(sweep, trial, cut, job_id)


def combine(rounds: Sequence[Round]) -> Combination | None:
    """Return the verdict on the best two together; None if they were not tried."""
    if len(rounds) < 2 or rounds[1].trial is None:
        return None
    sweep = rounds[1].sweep
    leaders = {leader["variant"]: leader for leader in reversed(_best_of_each(sweep))}
    together = sweep.spec["variants"][-1]["name"]
    singles = [name for name in leaders if name not in (NOTHING, together)]
    if together not in leaders or not singles:
        return None
    alone = min(singles, key=lambda name: float(leaders[name]["objective"]["mean"]))
    compared = sweep.comparison(baseline=alone)
    (judged,) = (one for one in compared["differences"] if one["group"] == together)
    return Combination(together, alone, judged["verdict"], judged["difference"], leaders[together]["job_ids"][0])


def _wait(
    server: Borrowed, sweep: Sweep, timeout_s: float, task: str, *, as_json: bool
) -> KeyboardInterrupt | WaitTimeoutError | None:
    """Wait for the end; returns what came before it."""

    def looking_after(show: Callable[[JSONObject], None]) -> Callable[[JSONObject], None]:
        def see(body: JSONObject) -> None:
            server.look_after()
            show(body)

        return see

    try:
        if as_json or not err.is_live:
            show = (lambda _: None) if as_json else trial_show(None, err, task)
            sweep.wait(timeout_s, progress=looking_after(show), check=False)
        else:
            with Live(console=err, auto_refresh=False, redirect_stdout=False, transient=True) as live:
                sweep.wait(timeout_s, progress=looking_after(trial_show(live, err, task)), check=False)
    except (KeyboardInterrupt, WaitTimeoutError) as cut:
        return cut
    return None


def _best_of_each(sweep: Sweep) -> list[JSONObject]:
    """The best combination of each variant that has a result, from best to last."""
    first: dict[str, JSONObject] = {}
    for leader in sweep.leaderboard:
        if leader["objective"]["mean"] is not None:
            first.setdefault(leader["variant"], leader)
    return list(first.values())


def by_shared_seeds(sweep: Sweep) -> list[JSONObject]:
    """The same for a sweep that was cut short, by the difference to the network alone over the seeds that both have.

    Seeds draw their own splits, and a variant that has one seed less would be better or worse by that split alone.
    """
    leaders = _best_of_each(sweep)
    if NOTHING not in (leader["variant"] for leader in leaders) or len(leaders) == 1:
        return leaders
    compared = sweep.comparison(sweep.spec["objective"]["metric"], baseline=NOTHING)
    changes = {one["group"]: one["difference"]["value"] for one in compared["differences"]} | {NOTHING: 0.0}

    def change(leader: JSONObject) -> float:
        value = changes[leader["variant"]]
        return math.inf if value is None else float(value)

    return sorted(leaders, key=change)


def _judge(server: Borrowed, sweep: Sweep, names: list[str], job_id: str) -> Trial:
    measured = server.client.jobs.get(job_id).result or {} if job_id else {}
    scores = [name for name in headline_metrics() if measured.get("metrics", {}).get(f"test/{name}") is not None]
    against_constant = sweep.comparison(baseline=CONSTANT) if CONSTANT in names else None
    return judge_variants(
        names,
        sweep.comparison(baseline=NOTHING),
        against_constant,
        sweep.comparison(baseline=LINEAR) if LINEAR in names else None,
        {name: sweep.comparison(f"test/{name}", baseline=NOTHING) for name in scores},
        rows_against_constant=_by_rows(server, against_constant) if against_constant is not None else [],
    )


def _by_rows(server: Borrowed, against_constant: Mapping[str, Any]) -> list[JSONObject]:
    """For each seed, a comparison of its jobs on its test rows; none if there are seeds enough to compare by these."""
    groups = {group["name"]: group for group in against_constant["groups"]}
    num_seeds = groups[CONSTANT]["num"]
    if num_seeds >= FEWEST_SEEDS:
        return []
    # A sweep that was cut short has ended its first seeds; the jobs of each variant are in the order of the seeds.
    others = [name for name in groups if name != CONSTANT]
    return [
        server.client.compare(
            {name: [groups[name]["job_ids"][place]] for name in (CONSTANT, *others)}, against_constant["metric"]
        )
        for place in range(num_seeds)
    ]
